import { internal } from '@ton/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { PRICES_2025 } from '../../contracts/chain/prices.ts'
import { ContractsError, settleCost } from '../../contracts/index.ts'
import { type ClientChannel, openClientChannel } from './testing/client-channel.ts'
import { useLocalNode } from './testing/node.ts'
import { Crash, CrashPoint, type Stand, setUp } from './testing/stand.ts'

let node: LocalNode
let stand: Stand
/** The channel that pays the worker of all requests here. */
let worker: string
useLocalNode((opened) => {
  node = opened
})
afterEach(() => stand.end())

const code = (name: string) => expect.objectContaining({ code: name })
const TON = 1_000_000_000n
const SIGNING_KEY = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'
const DAY_MS = 86_400_000
/** What a channel has to bring at today's fees, and what is far too little. */
const WORTH = 200_000_000n
const DUST = 1_000_000n

async function ready(count: number): Promise<ClientChannel[]> {
  stand = await setUp(node)
  await stand.treasury.setup()
  const payoutAddress = stand.worker.address.toString()
  worker = (await stand.treasury.paymentFor({ payoutAddress, workerId: SIGNING_KEY })).ledgerChannel
  const channels: ClientChannel[] = []
  for (let made = 0; made < count; made++) channels.push(await openClientChannel(stand))
  for (const channel of channels) await channel.voucher(5n * TON)
  return channels
}

/** Settled on chain and in the ledger, which have to agree. */
async function settledOf({ id, client }: ClientChannel): Promise<bigint | undefined> {
  const settled = (await client.state())?.settled
  expect((await stand.ledger.channelState(id))?.settled).toBe(settled)
  return settled
}
const messages = () => stand.keys.gateway.seqno(stand.chain)

describe('channels are settled', () => {
  it('by what was charged, under the ceilings that clients signed, all in one message', async () => {
    const channels = await ready(3)
    for (const channel of channels) await channel.charge(WORTH, worker)
    const before = await messages()
    await stand.treasury.sync()
    for (const channel of channels) expect(await settledOf(channel)).toBe(WORTH)
    expect((await messages()) - before).toBe(1)
    await stand.treasury.sync()
    expect((await messages()) - before).toBe(1)
    expect(stand.warnings).toEqual([])
    await stand.ledger.audit()
  })

  it('when fees are a hundredth of it: at the fees that the chain has, not at those of yesterday', async () => {
    const [channel] = await ready(1)
    if (!channel) expect.fail()
    const cost = settleCost(await stand.chain.prices(), 1)
    await channel.charge(cost * 100n - 1n, worker)
    await stand.treasury.sync()
    expect(await settledOf(channel)).toBe(0n)
    await channel.charge(1n, worker)
    const dear = stand.again({ chain: { ...stand.chain, prices: async () => PRICES_2025 } })
    await dear.sync()
    expect(await settledOf(channel)).toBe(0n)
    await stand.treasury.sync()
    expect(await settledOf(channel)).toBe(cost * 100n)
  })

  it('when a charge is a day old, or the clock was set back, but never at a loss', async () => {
    const [channel, dust] = await ready(2)
    if (!channel || !dust) expect.fail()
    await channel.charge(2n * DUST, worker)
    await dust.charge(DUST, worker)
    const at = (shift: number) => stand.again({ now: () => Date.now() + shift })
    await at(DAY_MS - 60_000).sync()
    expect(await settledOf(channel)).toBe(0n)
    await at(DAY_MS).sync()
    expect(await settledOf(channel)).toBe(2n * DUST)
    await channel.charge(2n * DUST, worker)
    await at(-2 * DAY_MS).sync()
    expect(await settledOf(channel)).toBe(4n * DUST)
    expect(await settledOf(dust)).toBe(0n)
  })

  it('by the age of charges and not of the voucher, which its client signed long before', async () => {
    const [channel] = await ready(1)
    if (!channel) expect.fail()
    let late = DAY_MS
    const treasury = stand.again({ now: () => Date.now() + late })
    await channel.charge(2n * DUST, worker)
    await treasury.sync()
    expect(await settledOf(channel)).toBe(2n * DUST)
    await channel.charge(2n * DUST, worker)
    late += DAY_MS - 60_000
    await treasury.sync()
    expect(await settledOf(channel)).toBe(2n * DUST)
    late += 60_000
    await treasury.sync()
    expect(await settledOf(channel)).toBe(4n * DUST)
  })

  it('when much is at risk though fees are dear, and when the deposit is used up', async () => {
    const [channel, full] = await ready(2)
    if (!channel || !full) expect.fail()
    const settle = { overheadBps: 1, riskCap: TON, maxAgeSeconds: 86_400 }
    const careful = stand.again({ terms: { settle } })
    await channel.charge(TON - 1n, worker)
    await careful.sync()
    expect(await settledOf(channel)).toBe(0n)
    await channel.charge(1n, worker)
    await careful.sync()
    expect(await settledOf(channel)).toBe(TON)
    await full.voucher(10n * TON)
    await full.charge(10n * TON - 2n * DUST, worker)
    await careful.sync()
    await full.charge(2n * DUST, worker)
    await careful.sync()
    expect(await settledOf(full)).toBe(10n * TON)
  })

  it('at once when their payers start to close, however little there is above the fees', async () => {
    const [channel, open, dust] = await ready(3)
    if (!channel || !open || !dust) expect.fail()
    for (const each of [channel, open]) await each.charge(2n * DUST, worker)
    await dust.charge(DUST / 2n, worker)
    await channel.client.startClose(channel.payer)
    await dust.client.startClose(dust.payer)
    await stand.treasury.sync()
    expect(await settledOf(channel)).toBe(2n * DUST)
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ state: 'closing' })
    expect(await settledOf(open)).toBe(0n)
    // Half of what it costs to take it.
    expect(await settledOf(dust)).toBe(0n)
    await expect(channel.charge(1n, worker)).rejects.toEqual(code('ERR_CHANNEL_CLOSED'))
    // The payer finishes: the ledger learns that it is over, and what it was settled at.
    await node.advanceTime(3601)
    await channel.client.finishClose(channel.payer)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ state: 'closed', settled: 2n * DUST })
    await stand.ledger.audit()
  })

  it('with fees unknown: those that close; the others wait, with a warning', async () => {
    const [channel, open] = await ready(2)
    if (!channel || !open) expect.fail()
    for (const each of [channel, open]) await each.charge(WORTH, worker)
    await channel.client.startClose(channel.payer)
    const prices = async () => {
      throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'no fees today')
    }
    const blind = stand.again({ chain: { ...stand.chain, prices } })
    await blind.sync()
    expect(await settledOf(channel)).toBe(WORTH)
    expect(await settledOf(open)).toBe(0n)
    expect(stand.warnings).toContain('no fees today')
  })

  it('again after a pause when it failed, longer each time', async () => {
    const [channel] = await ready(1)
    if (!channel) expect.fail()
    await channel.charge(WORTH, worker)
    let clock = 0
    let sent = 0
    const chain = {
      ...stand.chain,
      send: async () => {
        sent++
        throw new ContractsError('ERR_CHAIN_REJECTED', 'not today')
      },
    }
    const treasury = stand.again({ chain, monotonic: () => clock })
    for (const [at, count] of [
      [0, 1],
      [4_999, 1],
      [5_000, 2],
      [14_999, 2],
      [15_000, 3],
    ] as const) {
      clock = at
      await treasury.sync()
      expect(sent).toBe(count)
    }
    expect(stand.warnings.filter((text) => text.includes('could not be settled'))).toHaveLength(3)
    await expect(treasury.settle()).rejects.toEqual(code('ERR_CHAIN_REJECTED'))
    await stand.treasury.sync()
    expect(await settledOf(channel)).toBe(WORTH)
  })

  it('from a wallet that holds little, in smaller batches; from an empty one not, and that is said', async () => {
    const channels = await ready(3)
    for (const channel of channels) await channel.charge(WORTH, worker)
    const { fund: _, ...chain } = stand.chain
    const treasury = stand.again({ chain })
    const { gateway } = stand.keys
    const spend = async (rest: bigint) => {
      const value = (await gateway.balance(chain)) - rest
      await gateway.send(chain, [internal({ to: stand.worker.address, value, bounce: false })])
    }
    await spend(10_000_000n)
    await treasury.sync()
    expect(stand.warnings.filter((text) => /are needed for a settle/.test(text))).toHaveLength(3)
    await stand.chain.fund(gateway.address, 30_000_000n)
    const before = await messages()
    await stand.again({ chain }).sync()
    for (const channel of channels) expect(await settledOf(channel)).toBe(WORTH)
    expect((await messages()) - before).toBe(2)
  })

  it('once each, whichever step a crash ended', async () => {
    const channels = await ready(3)
    for (let at = 1; ; at++) {
      for (const channel of channels) await channel.charge(WORTH, worker)
      const charged = (await stand.ledger.channelState(channels[0]?.id ?? ''))?.charged
      const crash = new CrashPoint(at)
      const doomed = stand.again({
        chain: crash.wrap(stand.chain, ['send', 'fund']),
        ledger: crash.wrap(stand.ledger, ['updateSettled', 'setChannelState']),
      })
      await doomed.settle().catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error
      })
      const before = await messages()
      await stand.again().sync()
      for (const channel of channels) expect(await settledOf(channel)).toBe(charged)
      // What had reached the chain is read from it, and not sent again.
      expect((await messages()) - before).toBe(at === 1 ? 1 : 0)
      await stand.ledger.audit()
      if (!crash.reached) break
      expect(at).toBeLessThan(20)
    }
  }, 120_000)
})

describe('the client channels of others', () => {
  it('are closed by their payers, and no key of theirs moves to the demonstration’s channel', async () => {
    const [channel] = await ready(1)
    if (!channel) expect.fail()
    await channel.charge(WORTH, worker)
    await expect(stand.treasury.close(channel.id)).rejects.toEqual(code('ERR_TREASURY_NOT_OURS'))
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ state: 'open' })
    await stand.treasury.close()
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ state: 'open' })
    const next = await stand.again().setup()
    expect(next.signer).toBe('gateway')
    await channel.charge(WORTH, worker)
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ charged: 2n * WORTH })
    // Nor does its account when it ends.
    await stand.ledger.setChannelState(channel.id, 'closing')
    await stand.again().setup()
    expect(await stand.ledger.keys.accountOf(channel.id)).toMatchObject({ channel: channel.id })
  })

  it('are done with at the next look once their payer has closed by agreement', async () => {
    const [channel] = await ready(1)
    if (!channel) expect.fail()
    await channel.charge(WORTH, worker)
    await stand.ledger.setChannelState(channel.id, 'closing')
    const release = stand.keys.signRelease({ channel: channel.client.address, amount: WORTH })
    // Before openUntil an empty contract stays behind, whose deposit is what was paid out.
    expect(await channel.client.coopClose(channel.payer, WORTH, release)).toMatchObject({ deposited: WORTH })
    await stand.treasury.sync()
    expect(stand.warnings).toEqual([])
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ state: 'closed', settled: WORTH })
    await stand.ledger.audit()
  })

  it('are credited in full, beyond the cap of those that the gateway signs', async () => {
    const [channel] = await ready(1)
    if (!channel) expect.fail()
    await stand.chain.fund(channel.payer.address, 200n * TON)
    await channel.client.topUp(channel.payer, 150n * TON)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ deposited: 160n * TON })
  })
})
