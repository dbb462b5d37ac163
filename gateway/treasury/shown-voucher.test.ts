import { Address } from '@ton/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { generateKey, signVoucher } from '../../contracts/index.ts'
import { useLocalNode } from './testing/node.ts'
import { type Stand, setUp } from './testing/stand.ts'

const WORKER_ID = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'

let node: LocalNode
let stand: Stand
/** The worker's, charged with 700 nanotons. */
let channel: string
useLocalNode((opened) => {
  node = opened
})
beforeAll(async () => {
  stand = await setUp(node)
  await stand.treasury.setup()
  const { ledgerChannel } = await joined()
  channel = ledgerChannel
  await stand.reserve('request-1', 1000n)
  await stand.charge('request-1', 1000n, 700n, channel)
})
afterAll(() => stand.end())

const joined = () =>
  stand.treasury.paymentFor({ payoutAddress: stand.worker.address.toString(), workerId: WORKER_ID })

const signed = (ceiling: bigint) => ({ ceiling, signature: stand.keys.signVoucher(channel, ceiling) })
const frozen = async () => (await stand.ledger.channelState(channel))?.frozen

it('a voucher that the ledger knows of proves nothing', async () => {
  const newest = await stand.treasury.voucherFor(channel)
  expect(newest?.ceiling).toBe(700n)
  for (const shown of [signed(699n), signed(700n)]) {
    expect(await stand.treasury.checkVoucher({ ledgerChannel: channel }, shown)).toBeUndefined()
  }
  expect(await frozen()).toBeNull()
})

it('a higher one of another key neither, and its worker is turned away', async () => {
  const { globalId } = stand.chain
  const terms = { globalId, channel: Address.parseRaw(channel), ceiling: 701n }
  for (const signature of [signVoucher(generateKey(), terms), signed(702n).signature, new Uint8Array(64)]) {
    const reason = await stand.treasury.checkVoucher({ ledgerChannel: channel }, { ceiling: 701n, signature })
    expect(reason).toMatch(/none of this gateway/)
  }
  expect(await frozen()).toBeNull()
})

it('a higher one of our own proves that the ledger is a copy that was put back: the channel is frozen', async () => {
  const reason = await stand.treasury.checkVoucher({ ledgerChannel: channel }, signed(701n))
  expect(reason).toMatch(/701 nanotons, but this ledger knows of 700/)
  expect(await frozen()).toMatch(/older than its own signature/)
  expect(stand.warnings.join()).toContain(reason)
  await expect(joined()).rejects.toMatchObject({ code: 'ERR_ROLLED_BACK' })
})
