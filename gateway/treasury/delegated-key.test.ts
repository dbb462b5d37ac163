/** The delegated voucher key in memory only: what a restart keeps, and what it loses. */

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { publicKeyObject, verifyVoucher } from '../../contracts/index.ts'
import { paramsOf } from './terms.ts'
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

const payWorker = async () =>
  (
    await stand.treasury.paymentFor({
      payoutAddress: stand.worker.address.toString(),
      workerId: SIGNING_KEY,
    })
  ).ledgerChannel
const of = async (id: string) => (await stand.ledger.channelState(id)) ?? expect.fail()

describe('in memory', () => {
  it('is in no file, and a file of a former start is not used', async () => {
    stand = await setUp(node, {}, 'memory')
    const file = join(stand.dir, 'keys', 'client-vouchers')
    expect(existsSync(file)).toBe(false)
    expect(readdirSync(join(stand.dir, 'keys')).sort()).toEqual([
      ...['client-release', 'gateway-wallet', 'payer-wallet', 'worker-vouchers'],
    ])
    const { keys } = stand
    writeFileSync(file, Buffer.alloc(32, 7), { mode: 0o600 })
    await stand.restart()
    const seen = [keys, stand.keys].map((each) => Buffer.from(each.voucherKey('client')).toString('hex'))
    expect(new Set(seen).size).toBe(2)
    await stand.restart()
    expect(seen).not.toContain(Buffer.from(stand.keys.voucherKey('client')).toString('hex'))
    expect((await stand.treasury.status()).delegatedKey).toBe('memory')
  })

  it('a restart settles the channel by its last voucher, closes it, and opens another for the same API keys', async () => {
    stand = await setUp(node, {}, 'memory')
    const first = await stand.treasury.setup()
    const worker = await payWorker()
    const { secret } = await stand.ledger.keys.create({ name: 'mine', channel: first.id })
    await stand.reserve('one', 3n * TON)
    await stand.charge('one', 3n * TON, TON, worker)
    const { voucher } = await of(first.id)
    await stand.restart()
    const second = await stand.treasury.setup()
    expect(second.id).not.toBe(first.id)
    expect(second).toMatchObject({ state: 'open', deposited: 10n * TON })
    expect(await of(first.id)).toMatchObject({
      state: 'closed',
      settled: 3n * TON,
      ceiling: 3n * TON,
      voucher,
    })
    expect((await stand.ledger.keys.find(secret))?.channel).toBe(second.id)
    expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
    // Workers' vouchers are signed with a key that stays.
    expect(await payWorker()).toBe(worker)
    expect(stand.warnings).toEqual([])
  })

  it('what the former process had under way is charged, but never signed for with another key', async () => {
    stand = await setUp(node, {}, 'memory')
    const first = await stand.treasury.setup()
    const worker = await payWorker()
    await stand.reserve('signed', TON)
    await stand.charge('signed', TON, 1n, worker)
    await stand.reserve('late', TON)
    await stand.restart()
    await stand.treasury.setup()
    expect(await of(first.id)).toMatchObject({ state: 'closing', reserved: TON })
    await stand.charge('late', TON, 1n, worker)
    const record = await of(first.id)
    expect(record).toMatchObject({ charged: 2n * TON, ceiling: TON })
    const terms = { globalId: node.globalId, channel: Address.parseRaw(first.id), ceiling: record.ceiling }
    const key = publicKeyObject(paramsOf(record).voucherKey)
    expect(verifyVoucher(key, terms, record.voucher ?? new Uint8Array())).toBe(true)
    expect(stand.warnings).toContainEqual(expect.stringContaining(`voucher of channel ${first.id} could not`))
    await stand.restart()
    await stand.treasury.setup()
    expect(await of(first.id)).toMatchObject({ state: 'closed', settled: TON })
  })
})

it('in a file it stays, and so does the channel', async () => {
  stand = await setUp(node)
  const { id } = await stand.treasury.setup()
  await stand.restart()
  expect((await stand.treasury.setup()).id).toBe(id)
  expect((await stand.treasury.status()).delegatedKey).toBe('file')
})
