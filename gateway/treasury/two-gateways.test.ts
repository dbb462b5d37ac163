/** Two gateways with one channel: copies of one folder that both run, as somebody makes them for a second machine. */

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { Ledger } from '../ledger/index.ts'
import { type ClientChannel, openClientChannel } from './testing/client-channel.ts'
import { useLocalNode } from './testing/node.ts'
import { type Stand, setUp } from './testing/stand.ts'
import { Treasury } from './treasury.ts'

const TON = 1_000_000_000n
const WORKER_ID = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'
const rolledBack = expect.objectContaining({ code: 'ERR_ROLLED_BACK' })

let node: LocalNode
useLocalNode((opened) => {
  node = opened
})

/** The first gateway, and a copy of it that has the same keys and, up to the moment of the copy, the same books. */
let stand: Stand
let copy: { ledger: Ledger; treasury: Treasury }
/** The channel for whose vouchers the gateway has the key, one whose client signs, and the worker's. */
let delegated: string
let signed: ClientChannel
let worker: string
beforeEach(async () => {
  stand = await setUp(node)
  delegated = (await stand.treasury.setup()).id
  const payoutAddress = stand.worker.address.toString()
  worker = (await stand.treasury.paymentFor({ payoutAddress, workerId: WORKER_ID })).ledgerChannel
  signed = await openClientChannel(stand)
  await signed.voucher(5n * TON)
  const file = join(stand.dir, 'copy.sqlite')
  await stand.restart(() => copyFileSync(join(stand.dir, 'ledger.sqlite'), file))
  await stand.treasury.setup()
  const { chain, keys } = stand
  const ledger = await open(file)
  copy = { ledger, treasury: new Treasury({ chain, keys, ledger }) }
  await copy.treasury.setup()
})
afterEach(async () => {
  await copy.ledger.close()
  await stand.end()
})

const open = (file: string) =>
  Ledger.open({
    file,
    now: Date.now,
    signVoucher: (channel, ceiling) => stand.keys.signVoucher(channel, ceiling),
  })

let requests = 0
async function charge(ledger: Ledger, channel: string, amount: bigint): Promise<void> {
  const requestId = `request-${requests++}`
  const { id: key } =
    channel === delegated
      ? (await ledger.keys.create({ name: 'test', channel })).key
      : await ledger.keys.accountOf(channel)
  const by = { id: 'w', bootId: 'b' }
  await ledger.reserve({ requestId, channel, key, worker: by, maxCharge: amount })
  await ledger.charge({
    ...{ requestId, clientCharge: amount, workerCharge: 1n, workerChannel: worker },
    ...{ receipt: { payload: 'p', signature: 's' }, receiptDigest: requestId },
  })
}

describe('two gateways with one channel', () => {
  it('are refused when they share a ledger', async () => {
    await expect(open(join(stand.dir, 'ledger.sqlite'))).rejects.toMatchObject({ code: 'ERR_LEDGER_LOCKED' })
  })

  it('are refused from the first settlement on when each has a copy, though the other has charged more', async () => {
    for (const channel of [delegated, signed.id]) {
      await charge(stand.ledger, channel, TON)
      for (let i = 0; i < 3; i++) await charge(copy.ledger, channel, (3n * TON) / 4n)
      await stand.treasury.settle(channel)
      await copy.treasury.sync()
      expect((await copy.ledger.channelState(channel))?.frozen).toBe(
        '1000000000 nanotons are settled on chain, a sum that this ledger never came to: another gateway has the same keys, or had them. Stop it, and restore the newest copy, or have the channel closed',
      )
      await expect(charge(copy.ledger, channel, 1n)).rejects.toEqual(rolledBack)
      // The other one works on: what is frozen here is not settled over its head.
      await copy.treasury.sync()
      expect(await copy.ledger.channelState(channel)).toMatchObject({ settled: TON })
      await charge(stand.ledger, channel, TON)
      await stand.treasury.settle(channel)
      expect(await stand.ledger.channelState(channel)).toMatchObject({ settled: 2n * TON, frozen: null })
    }
  })

  it('are refused by the next start when the first one ends before the channel is frozen', async () => {
    await charge(stand.ledger, signed.id, TON)
    await charge(copy.ledger, signed.id, 2n * TON)
    await stand.treasury.settle(signed.id)
    vi.spyOn(copy.ledger, 'freeze').mockRejectedValueOnce(new Error('killed'))
    await copy.treasury.sync()
    expect((await copy.ledger.channelState(signed.id))?.frozen).toBeNull()
    await copy.treasury.sync()
    expect((await copy.ledger.channelState(signed.id))?.frozen).toContain('never came to')
  })

  it('cost the client no more than one would: each voucher is paid once, whoever claims it', async () => {
    const before = await signed.payer.balance(stand.chain)
    for (const { ledger } of [stand, copy]) await charge(ledger, signed.id, 5n * TON)
    await stand.treasury.settle(signed.id)
    await copy.treasury.settle(signed.id)
    expect(await signed.client.state()).toMatchObject({ settled: 5n * TON, deposited: 10n * TON })
    expect(await signed.payer.balance(stand.chain)).toBe(before)
  })

  it('lets a person go on with a channel after a false alarm', async () => {
    await charge(stand.ledger, signed.id, TON)
    await charge(copy.ledger, signed.id, 2n * TON)
    await stand.treasury.settle(signed.id)
    await copy.treasury.sync()
    await copy.ledger.unfreeze(signed.id)
    await copy.treasury.sync()
    expect(await copy.ledger.channelState(signed.id)).toMatchObject({ frozen: null, settled: 2n * TON })
    await copy.ledger.audit()
  })
})
