/**
 * Loaded ahead of a role (`node --import`): told so by the harness, the process kills itself at a named point of its own
 * code, before or after the n-th time from then on that it comes there. The product's code knows nothing of it.
 */

import { Wallet } from '../../contracts/index.ts'
import { Account } from '../../worker/earnings/index.ts'
import { Ledger } from '../ledger/index.ts'
import { StreamTable } from '../link/streams.ts'
import { UsedOnce } from '../pay/index.ts'
import { Settler } from '../treasury/settler.ts'

/** A method whose call is the point. Those of the ledger resolve when their commit is on disk. */
const POINTS = {
  hold: [Ledger.prototype, 'hold'],
  charge: [Ledger.prototype, 'charge'],
  release: [Ledger.prototype, 'release'],
  grant: [StreamTable.prototype, 'sendCredit'],
  use: [UsedOnce.prototype, 'take'],
  accept: [Ledger.prototype, 'acceptVoucher'],
  settle: [Settler.prototype, 'settleNow'],
  settleSend: [Wallet.prototype, 'send'],
  settleNote: [Ledger.prototype, 'updateSettled'],
  keep: [Account.prototype, 'keep'],
  acknowledge: [Account.prototype, 'acknowledge'],
  voucher: [Account.prototype, 'voucher'],
  flush: [Account.prototype, 'flush'],
} as const satisfies Record<string, readonly [object, string]>

export type PointName = keyof typeof POINTS
export const POINT_NAMES = Object.keys(POINTS) as readonly PointName[]

export interface KillPoint {
  readonly point: PointName
  /** `slow`: the call takes long, as on a busy disk, and the process dies before it has done anything. */
  readonly when: 'before' | 'after' | 'slow'
  /** The n-th call, from 1. */
  readonly call: number
}

/** Points that a process of this role comes by. */
export const POINTS_OF = {
  gateway: ['hold', 'charge', 'release', 'grant', 'use', 'accept', 'settle', 'settleSend', 'settleNote'],
  worker: ['keep', 'acknowledge', 'voucher', 'flush'],
} as const satisfies Record<string, readonly PointName[]>

/** Points that whoever comes by has to wait at, before anybody is told of anything. */
export const SLOW: readonly PointName[] = ['charge', 'release', 'use', 'accept', 'settleNote']
/** Points whose call only hands over what leaves at the end of the tick. */
const LEAVES_LATER: readonly PointName[] = ['grant']
/** Enough for an answer that does not wait to reach its client, in ms. */
const SLOW_MS = 60

function arm({ point, when, call }: KillPoint): void {
  const [prototype, name] = POINTS[point] as unknown as [
    Record<string, (...args: unknown[]) => unknown>,
    string,
  ]
  const original = prototype[name]
  if (!original) throw new Error(`nothing is called ${name}`)
  let calls = 0
  prototype[name] = function (this: unknown, ...args: unknown[]) {
    const last = ++calls === call
    if (last && when === 'before') die()
    if (last && when === 'slow') return new Promise(() => setTimeout(die, SLOW_MS))
    const result = original.apply(this, args)
    if (!last) return result
    if (result instanceof Promise) return result.finally(die)
    if (!LEAVES_LATER.includes(point)) return die()
    process.nextTick(die)
    return result
  }
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('not reached')
}

process.on('message', (message: { killAt?: KillPoint }) => {
  if (message.killAt) arm(message.killAt)
})
