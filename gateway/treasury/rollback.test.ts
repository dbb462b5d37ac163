import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { ChannelClient } from '../../contracts/index.ts'
import { paramsOf } from './terms.ts'
import { openClientChannel } from './testing/client-channel.ts'
import { useLocalNode } from './testing/node.ts'
import { type Stand, setUp } from './testing/stand.ts'

let node: LocalNode
let stand: Stand
let worker: string
useLocalNode((opened) => {
  node = opened
})
afterEach(() => stand.end())

const code = (name: string) => expect.objectContaining({ code: name })
const TON = 1_000_000_000n
const SIGNING_KEY = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'

async function ready() {
  stand = await setUp(node)
  const client = await stand.treasury.setup()
  const payoutAddress = stand.worker.address.toString()
  worker = (await stand.treasury.paymentFor({ payoutAddress, workerId: SIGNING_KEY })).ledgerChannel
  return client
}

let requests = 0
async function charge(amount: bigint, earned = amount / 2n): Promise<void> {
  const id = `request-${requests++}`
  await stand.reserve(id, amount)
  await stand.charge(id, amount, earned, worker)
}
/** Keeps a copy of the ledger, as a backup or a second machine would. */
const keepCopy = () =>
  stand.restart(() => copyFileSync(join(stand.dir, 'ledger.sqlite'), join(stand.dir, 'copy')))
const putBack = () =>
  stand.restart(() => {
    copyFileSync(join(stand.dir, 'copy'), join(stand.dir, 'ledger.sqlite'))
    for (const suffix of ['-wal', '-shm']) rmSync(join(stand.dir, `ledger.sqlite${suffix}`), { force: true })
  })

describe('a ledger that was put back', () => {
  it('is noticed by what is settled on chain: its channel is frozen, said, and can be closed without loss', async () => {
    const client = await ready()
    await charge(TON)
    await keepCopy()
    await charge(TON)
    await stand.treasury.settle()
    await putBack()
    expect(await stand.ledger.channelState(client.id)).toMatchObject({ charged: TON, settled: 0n })
    await stand.treasury.setup()
    const frozen = await stand.ledger.channelState(client.id)
    expect(frozen?.frozen).toBe(
      '2000000000 nanotons are settled on chain, but this ledger knows of 1000000000: it is older than the chain. Restore the newest copy, or have the channel closed',
    )
    expect(stand.warnings).toContain(`channel ${client.id} could not be brought up to the chain`)
    await expect(charge(1n)).rejects.toEqual(code('ERR_ROLLED_BACK'))
    const { channels } = await stand.treasury.status()
    expect(channels[0]).toMatchObject({ settled: 2n * TON, charged: TON, frozen: frozen?.frozen })
    // It is told of once, not every few seconds.
    const told = stand.warnings.length
    await stand.treasury.sync()
    expect(stand.warnings).toHaveLength(told)
    await expect(stand.treasury.settle()).rejects.toEqual(code('ERR_ROLLED_BACK'))
    // The freeze is durable, and the way out gives each side what is its own.
    await stand.restart()
    await stand.treasury.setup()
    await expect(charge(1n)).rejects.toEqual(code('ERR_ROLLED_BACK'))
    const { balances } = await stand.treasury.close()
    expect(balances.difference).toBe(0n)
    expect(balances.payer).toBeGreaterThan(9n * TON)
    expect(await stand.ledger.channelState(client.id)).toMatchObject({ state: 'closed' })
  })

  it('is noticed on channels that clients sign, and while it runs, when another gateway settles', async () => {
    await ready()
    const channel = await openClientChannel(stand)
    await channel.voucher(5n * TON)
    await channel.charge(TON, worker)
    await stand.treasury.sync()
    await keepCopy()
    await channel.charge(TON, worker)
    // The same keys on two machines: what the other one does is seen on the chain only.
    await stand.treasury.settle(channel.id)
    await putBack()
    await expect(stand.treasury.settle(channel.id)).resolves.toBeDefined()
    await stand.treasury.sync()
    await expect(channel.charge(1n, worker)).rejects.toEqual(code('ERR_ROLLED_BACK'))
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ settled: TON })
  })

  it('is noticed on the channel of a worker that has settled more than this ledger signed', async () => {
    await ready()
    await charge(TON)
    await keepCopy()
    await charge(TON)
    const record = (await stand.ledger.channelState(worker)) ?? expect.fail()
    await stand.chain.fund(stand.worker.address, TON)
    const client = new ChannelClient({ chain: stand.chain, params: paramsOf(record) })
    await client.settle(stand.worker, TON, TON, record.voucher ?? expect.fail())
    await putBack()
    await stand.treasury.sync()
    expect((await stand.ledger.channelState(worker))?.frozen).toMatch(/1000000000 nanotons are settled/)
  })

  it('is noticed, too, when the worker was owed as much and had no voucher for it yet', async () => {
    await ready()
    // More than its channel holds: the voucher stays behind until it is topped up.
    await charge(6n * TON, 6n * TON)
    expect(await stand.ledger.channelState(worker)).toMatchObject({ charged: 6n * TON, ceiling: 5n * TON })
    await keepCopy()
    await stand.treasury.sync()
    const record = (await stand.ledger.channelState(worker)) ?? expect.fail()
    await stand.chain.fund(stand.worker.address, TON)
    const client = new ChannelClient({ chain: stand.chain, params: paramsOf(record) })
    await client.settle(stand.worker, 6n * TON, 6n * TON, record.voucher ?? expect.fail())
    await putBack()
    await stand.treasury.sync()
    expect((await stand.ledger.channelState(worker))?.frozen).toMatch(/knows of 5000000000/)
  })

  it('that is as new as the chain goes on: what is charged and not settled yet is no trace of a rollback', async () => {
    const client = await ready()
    await charge(TON)
    await stand.treasury.settle()
    await keepCopy()
    await charge(TON)
    await putBack()
    await stand.treasury.setup()
    expect((await stand.ledger.channelState(client.id))?.frozen).toBeNull()
    await charge(TON)
    await stand.treasury.settle()
    expect((await stand.treasury.status()).balances.difference).toBe(0n)
  })
})
