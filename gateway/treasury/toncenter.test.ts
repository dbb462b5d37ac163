/** The treasury, unchanged, over two providers of toncenter's API that misbehave. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fault } from '../../contracts/chain/testing/toncenter.ts'
import { World } from '../../contracts/chain/testing/world.ts'
import { ChannelClient, type ToncenterChain, Wallet } from '../../contracts/index.ts'
import { Ledger } from '../ledger/index.ts'
import { Treasury, TreasuryKeys } from './index.ts'
import { paramsOf } from './terms.ts'

const TON = 1_000_000_000n
const SIGNING_KEY = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'

let dir: string
let world: World
let chain: ToncenterChain
let keys: TreasuryKeys
let ledger: Ledger
let treasury: Treasury
let warnings: string[]
let client: string
let worker: string

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-treasury-'))
  world = await World.start()
  chain = await world.connect()
  keys = await TreasuryKeys.open(join(dir, 'keys'), chain.globalId)
  for (const { address } of [keys.gateway, keys.payer]) await world.network.fund(address, 100n * TON)
  warnings = []
  ledger = await Ledger.open({
    file: join(dir, 'ledger.sqlite'),
    now: Date.now,
    signVoucher: (channel, ceiling) => keys.signVoucher(channel, ceiling),
  })
  treasury = await start()
  client = (await treasury.setup()).id
  const payoutAddress = Wallet.fromSeed(Buffer.alloc(32, 3), chain.globalId).address.toString()
  worker = (await treasury.paymentFor({ payoutAddress, workerId: SIGNING_KEY })).ledgerChannel
})

afterEach(async () => {
  await ledger.close()
  await world.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A gateway that has just connected. */
async function start(): Promise<Treasury> {
  return new Treasury({
    chain: await world.connect(),
    keys,
    ledger,
    monotonic: () => world.clock.now(),
    wait: { pause: () => world.clock.sleep(1000) },
    onWarning: (message) => warnings.push(message),
  })
}

let requests = 0
async function charge(amount: bigint): Promise<void> {
  const requestId = `request-${requests++}`
  const key = (await ledger.keys.create({ name: 'test', channel: client })).key.id
  const reservation = { channel: client, key, worker: { id: 'w', bootId: 'b' }, maxCharge: amount }
  await ledger.reserve({ requestId, ...reservation })
  const receipt = { payload: 'p', signature: 's' }
  const charges = { clientCharge: amount, workerCharge: 1n, workerChannel: worker }
  await ledger.charge({ requestId, ...charges, receipt, receiptDigest: requestId })
}
const record = async () => (await ledger.channelState(client)) ?? expect.fail()
const onChain = async () => new ChannelClient({ chain, params: paramsOf(await record()) }).state()
const startClose = async () =>
  new ChannelClient({
    chain,
    params: paramsOf(await record()),
    pause: () => world.clock.sleep(1000),
  }).startClose(keys.payer)

describe('over two providers', () => {
  it('what is worth its fees is settled, and read back from final blocks before it is booked', async () => {
    await charge(TON)
    await treasury.sync()
    expect(await record()).toMatchObject({ settled: TON })
    expect(await onChain()).toMatchObject({ settled: TON })
    expect(warnings).toEqual([])
  })

  it('a start of closing is settled at once, while they answer with 429, 5xx, halves and nothing', async () => {
    await charge(TON / 10n)
    await startClose()
    const faults: Fault[] = [
      { kind: 'status', status: 429, retryAfter: '1' },
      { kind: 'status', status: 502 },
      { kind: 'truncate' },
      { kind: 'cut' },
      { kind: 'hang' },
    ]
    const often = faults.flatMap((fault) => [fault, undefined])
    world.one.faults.push(...often)
    world.other.faults.push(...often.toReversed())
    await treasury.sync()
    expect(world.one.faults).toEqual([])
    expect(await record()).toMatchObject({ settled: TON / 10n, state: 'closing' })
  })

  it('one that lies about a channel makes nothing happen: no deposit, no closing, no freeze', async () => {
    await charge(TON / 10n)
    const before = await record()
    const old = world.network.block(0)
    await startClose()
    const closing = await chain.account(new ChannelClient({ chain, params: paramsOf(before) }).address)
    expect(closing.lastLt).toBeGreaterThan(0n)
    // The first of them goes on showing the channel as it was before the payer began to close.
    world.one.lag = world.network.blocks.length - 1 - world.network.blocks.indexOf(old)
    world.clock.onSleep = async () => {
      await world.network.advance()
      world.one.lag++
    }
    await treasury.sync()
    expect(await record()).toEqual(before)
    expect(warnings).toContain(`channel ${client} could not be brought up to the chain`)
    // It comes to its senses.
    world.clock.onSleep = () => world.network.advance()
    world.one.lag = 0
    await treasury.sync()
    expect(await record()).toMatchObject({ settled: TON / 10n, state: 'closing' })
  })

  it('that both lag, a restarted gateway closes and freezes nothing, and sends nothing twice', async () => {
    await charge(TON)
    await treasury.sync()
    const before = await record()
    // Both show the time before the settlement, and the new process knows of no newer block.
    world.one.lag = 4
    world.other.lag = 4
    const blocks = world.network.blocks.length
    const late = await start()
    world.clock.onSleep = async () => undefined
    await late.sync()
    expect(await record()).toEqual(before)
    expect(warnings).toContain(`channel ${client} could not be brought up to the chain`)
    expect(world.network.blocks).toHaveLength(blocks)
    world.clock.onSleep = () => world.network.advance()
    world.one.lag = 0
    world.other.lag = 0
    await late.sync()
    expect(await record()).toEqual(before)
    expect(await keys.gateway.seqno(chain)).toBe(2)
  })

  it('a machine whose clock is wrong believes no block, and serves on until the outage is too long', async () => {
    await treasury.sync()
    world.clock.skew = 3_600_000
    world.clock.onSleep = async () => undefined
    await treasury.sync()
    expect(warnings).toContain(`channel ${client} could not be brought up to the chain`)
    treasury.requireSeen(client)
    world.clock.ms += 900_001
    expect(() => treasury.requireSeen(client)).toThrow(expect.objectContaining({ code: 'ERR_CHAIN_OUTAGE' }))
    world.clock.skew = 0
    await world.network.advance()
    await treasury.sync()
    treasury.requireSeen(client)
  })

  it('a settlement whose sending failed half-way is found done', async () => {
    await charge(TON)
    // Both take the message, and break the connection before they say so.
    let cut = 0
    for (const provider of [world.one, world.other]) {
      provider.lie = (method, result) => {
        if (method !== 'sendBoc') return result
        cut++
        throw new Error('the connection breaks')
      }
    }
    await treasury.sync()
    expect(cut).toBeGreaterThanOrEqual(2)
    expect(warnings).toEqual([])
    expect(await record()).toMatchObject({ settled: TON })
    expect(await keys.gateway.seqno(chain)).toBe(2)
  })
})
