/** What the treasury's tests share: a local chain and a ledger in a temporary folder, and a crash at any step. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LocalNode } from '../../../contracts/chain/local/node.ts'
import { Wallet } from '../../../contracts/index.ts'
import { Ledger } from '../../ledger/index.ts'
import type { TreasuryChain } from '../desk.ts'
import { type DelegatedKeyPlace, TreasuryKeys } from '../keys.ts'
import { Treasury, type TreasuryOptions } from '../treasury.ts'

export interface Stand {
  /** Holds `keys` and `ledger.sqlite`. */
  readonly dir: string
  node: LocalNode
  chain: TreasuryChain & Required<Pick<TreasuryChain, 'fund' | 'audit'>>
  /** Others after a {@link Stand.restart} when the delegated one is in memory. */
  readonly keys: TreasuryKeys
  /** Another one after each {@link Stand.restart}. */
  readonly ledger: Ledger
  readonly treasury: Treasury
  warnings: string[]
  /** A wallet that nobody else here knows, as a worker's owner has. */
  worker: Wallet
  /** Another process's treasury on the same folder. */
  again(options?: Partial<TreasuryOptions>): Treasury
  reserve(requestId: string, maxCharge: bigint): Promise<void>
  charge(requestId: string, clientCharge: bigint, workerCharge: bigint, workerChannel: string): Promise<void>
  /** Ends the gateway, does something to its folder, and starts the next one on it. */
  restart(meanwhile?: () => void): Promise<void>
  end(): Promise<void>
}

/**
 * An installation of its own on a chain that many may share: keys, ledger and treasury. What others on the chain own
 * is left out of its `audit`, so that the sum has to come out for this one alone.
 */
export async function setUp(
  node: LocalNode,
  options: Partial<TreasuryOptions> = {},
  delegated: DelegatedKeyPlace = 'file',
): Promise<Stand> {
  const dir = mkdtempSync(join(tmpdir(), 'chrysalis-treasury-'))
  const chain = chainOf(node)
  const openKeys = () => TreasuryKeys.open(join(dir, 'keys'), node.globalId, delegated)
  let keys = await openKeys()
  const warnings: string[] = []
  const openLedger = () =>
    Ledger.open({
      file: join(dir, 'ledger.sqlite'),
      now: Date.now,
      signVoucher: (channel, ceiling) => keys.signVoucher(channel, ceiling),
      onWarning: (message) => warnings.push(message),
    })
  let ledger = await openLedger()
  const again = (more: Partial<TreasuryOptions> = {}) =>
    new Treasury({ chain, keys, ledger, onWarning: (message) => warnings.push(message), ...options, ...more })
  let treasury = again()
  let key: string | undefined
  return {
    dir,
    node,
    chain,
    get keys() {
      return keys
    },
    get ledger() {
      return ledger
    },
    get treasury() {
      return treasury
    },
    warnings,
    worker: Wallet.fromSeed(randomBytes(32), node.globalId),
    again,
    reserve: async (requestId, maxCharge) => {
      const channel = (await ledger.channels()).findLast(({ role }) => role === 'client')?.id ?? ''
      key ??= (await ledger.keys.create({ name: 'test', channel })).key.id
      await ledger.reserve({ requestId, channel, key, worker: { id: 'w', bootId: 'b' }, maxCharge })
    },
    charge: async (requestId, clientCharge, workerCharge, workerChannel) => {
      const receipt = { payload: 'p', signature: 's' }
      await ledger.charge({
        ...{ requestId, clientCharge, workerCharge, workerChannel },
        ...{ receipt, receiptDigest: requestId },
      })
    },
    restart: async (meanwhile = () => {}) => {
      await ledger.close()
      meanwhile()
      // Keys in files are the same ones.
      if (delegated === 'memory') keys = await openKeys()
      ledger = await openLedger()
      treasury = again()
    },
    end: async () => {
      await ledger.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function chainOf(node: LocalNode): Stand['chain'] {
  const start = node.audit()
  const genesis = start.faucet + start.burned
  return {
    globalId: node.globalId,
    instant: true,
    now: async () => node.now(),
    account: async (address) => node.account(address),
    get: (address, method, args = []) => node.get(address, method, args),
    send: async (boc) => {
      await node.send(Buffer.from(boc))
    },
    prices: async () => node.prices,
    fund: async (address, amount) => {
      await node.fund(address, amount)
    },
    audit: async () => ({ ...node.audit(), genesis, total: genesis }),
  }
}

export class Crash extends Error {}

/**
 * Ends the "process" just before the n-th thing that leaves a trace (so just after the one before it): everything
 * from then on fails.
 */
export class CrashPoint {
  readonly #at: number
  #count = 0

  constructor(at: number) {
    this.#at = at
  }

  /** True when the point was reached. */
  get reached(): boolean {
    return this.#count >= this.#at
  }

  /** @param parts objects in the target that are wrapped as well */
  wrap<T extends object>(target: T, names: readonly (keyof T)[], parts: Partial<T> = {}): T {
    return new Proxy(target, {
      get: (object, name) => {
        if (name in parts) return parts[name as keyof T]
        const value: unknown = Reflect.get(object, name, object)
        if (typeof value !== 'function') return value
        const call = (...args: unknown[]) => Reflect.apply(value, object, args)
        return async (...args: unknown[]) => {
          // A dead process reads nothing either.
          if (this.reached) throw new Crash()
          if (!names.includes(name as keyof T)) return call(...args)
          this.#count++
          if (this.reached) throw new Crash()
          return await call(...args)
        }
      },
    })
  }
}
