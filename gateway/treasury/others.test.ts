/** Channels that other wallets pay into, and whose vouchers this gateway signs: nobody else draws on them. */

import { afterEach, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { openPaidChannel } from './testing/client-channel.ts'
import { useLocalNode } from './testing/node.ts'
import { type Stand, setUp } from './testing/stand.ts'

const TON = 1_000_000_000n
const SIGNING_KEY = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'

let node: LocalNode
let stand: Stand
useLocalNode((opened) => {
  node = opened
})
afterEach(() => stand.end())

it('are not taken for the one of the own payer, whatever becomes of that', async () => {
  stand = await setUp(node)
  const other = await openPaidChannel(stand)
  const theirs = (await stand.ledger.keys.create({ name: 'theirs', channel: other.id })).secret
  const own = await stand.treasury.setup()
  expect(own.id).not.toBe(other.id)
  const ours = (await stand.ledger.keys.create({ name: 'ours', channel: own.id })).secret

  await stand.treasury.close()
  expect(await stand.ledger.channelState(other.id)).toMatchObject({ state: 'open', deposited: 10n * TON })
  const next = await stand.treasury.setup()
  expect([own.id, other.id]).not.toContain(next.id)
  const channelOf = async (secret: string) => (await stand.ledger.keys.find(secret))?.channel
  expect([await channelOf(ours), await channelOf(theirs)]).toEqual([next.id, other.id])
  expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
})

it('stay with their keys when they end', async () => {
  stand = await setUp(node)
  const own = await stand.treasury.setup()
  const other = await openPaidChannel(stand)
  const { secret } = await stand.ledger.keys.create({ name: 'theirs', channel: other.id })
  await other.client.startClose(other.payer)
  await stand.treasury.sync()
  expect(await stand.treasury.setup()).toMatchObject({ id: own.id })
  expect((await stand.ledger.keys.find(secret))?.channel).toBe(other.id)
})

it('end with the memory that held their voucher key: settled by the last voucher, and their keys draw on nothing', async () => {
  stand = await setUp(node, {}, 'memory')
  await stand.treasury.setup()
  const other = await openPaidChannel(stand)
  const { key, secret } = await stand.ledger.keys.create({ name: 'theirs', channel: other.id })
  const { ledgerChannel } = await stand.treasury.paymentFor({
    payoutAddress: stand.worker.address.toString(),
    workerId: SIGNING_KEY,
  })
  const request = { channel: other.id, key: key.id, worker: { id: 'w', bootId: 'b' }, maxCharge: 3n * TON }
  await stand.ledger.reserve({ requestId: 'one', ...request })
  await stand.charge('one', 3n * TON, TON, ledgerChannel)
  await stand.restart()
  await stand.treasury.setup()
  expect(await stand.ledger.channelState(other.id)).toMatchObject({ state: 'closing', ceiling: 3n * TON })
  expect((await stand.ledger.keys.find(secret))?.channel).toBe(other.id)
  await expect(stand.ledger.reserve({ requestId: 'two', ...request })).rejects.toMatchObject({
    code: 'ERR_CHANNEL_CLOSED',
  })

  await other.client.startClose(other.payer)
  await stand.treasury.sync()
  expect((await other.client.state())?.settled).toBe(3n * TON)
  expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
})
