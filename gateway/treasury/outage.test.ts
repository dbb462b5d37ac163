import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { type AccountSnapshot, ContractsError } from '../../contracts/index.ts'
import { Treasury, whileSeen } from './index.ts'
import { type ClientChannel, openClientChannel } from './testing/client-channel.ts'
import { useLocalNode } from './testing/node.ts'
import { type Stand, setUp } from './testing/stand.ts'

let node: LocalNode
let stand: Stand
let channel: ClientChannel
/** What the chain shows; throws while it is away. */
let shown: (account: AccountSnapshot) => AccountSnapshot
let clock: number
let treasury: Treasury
useLocalNode((opened) => {
  node = opened
})
beforeEach(async () => {
  stand = await setUp(node)
  await stand.treasury.setup()
  channel = await openClientChannel(stand)
  await channel.voucher(5_000_000_000n)
  clock = 0
  shown = (account) => account
  const account = stand.chain.account
  treasury = stand.again({
    chain: { ...stand.chain, account: async (address) => shown(await account(address)) },
    terms: { outageSeconds: 900 },
    monotonic: () => clock,
  })
})
afterEach(() => stand.end())

const code = (name: string) => expect.objectContaining({ code: name })
const away = () => {
  throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'the chain does not answer')
}
let requests = 0
const hold = async () => {
  const { id: key } = await stand.ledger.keys.accountOf(channel.id)
  const worker = { id: 'w', bootId: 'b' }
  const request = { requestId: `r${requests++}`, channel: channel.id, key, worker, maxCharge: 1n }
  const { durable } = await whileSeen(stand.ledger, treasury).hold(request)
  await durable
  return request.requestId
}

describe('while the chain is away', () => {
  it('channels are served on for the stated time, then refused with the reason, and again once it is back', async () => {
    await treasury.sync()
    shown = away
    clock = 900_000
    await treasury.sync()
    const running = await hold()
    expect(treasury.blind).toBe(false)
    clock += 1
    await expect(hold()).rejects.toEqual(code('ERR_CHAIN_OUTAGE'))
    await expect(hold()).rejects.toThrow(/was not seen on the chain for 900 s; it is served for 900 s/)
    expect(treasury.blind).toBe(true)
    // What runs is charged all the same.
    await expect(whileSeen(stand.ledger, treasury).release(running, 'test')).resolves.toBe('released')
    shown = (account) => account
    await treasury.sync()
    expect(treasury.blind).toBe(false)
    await hold()
  })

  it('a channel that was accepted before that, and not used since, is not served longer than others', async () => {
    shown = away
    await treasury.sync()
    clock = 900_001
    await treasury.sync()
    await expect(hold()).rejects.toEqual(code('ERR_CHAIN_OUTAGE'))
    shown = (account) => account
    await treasury.sync()
    await hold()
  })

  it('a channel that was just accepted has its time from then on', async () => {
    clock = 5_000_000
    await hold()
    clock += 900_000
    await hold()
    clock += 1
    await expect(hold()).rejects.toEqual(code('ERR_CHAIN_OUTAGE'))
  })

  it('a channel of a former process is served once this one has seen it', async () => {
    shown = away
    await treasury.setup()
    await expect(hold()).rejects.toThrow(/was not seen on the chain since this gateway started/)
    expect(treasury.blind).toBe(true)
    shown = (account) => account
    await treasury.sync()
    await hold()
  })

  it('is told of once, and of one channel that cannot be read the others know nothing', async () => {
    const { address } = channel.client
    const account = stand.chain.account
    const partly = stand.again({
      chain: { ...stand.chain, account: async (of) => (of.equals(address) ? away() : await account(of)) },
      monotonic: () => clock,
    })
    await partly.sync()
    const told = stand.warnings.length
    expect(told).toBeGreaterThan(0)
    for (clock = 0; clock <= 1_000_000; clock += 100_000) await partly.sync()
    expect(stand.warnings).toHaveLength(told)
    expect(partly.blind).toBe(false)
  })

  it('nothing of a closed channel is waited for', async () => {
    await treasury.sync()
    await stand.treasury.close()
    await treasury.sync()
    shown = away
    clock = 899_000
    await hold()
    shown = (account) => account
    await treasury.sync()
    clock += 900_000
    expect(treasury.blind).toBe(false)
  })
})

describe('a chain that shows the past', () => {
  const none: AccountSnapshot = { state: 'none', balance: 0n, code: null, data: null, lastLt: 0n }

  it('without the channel is not believed: nothing is closed, and it does not count as seen', async () => {
    await treasury.sync()
    shown = () => none
    clock = 900_001
    await treasury.sync()
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ state: 'open' })
    await expect(hold()).rejects.toEqual(code('ERR_CHAIN_OUTAGE'))
    expect(stand.warnings).toContain(`channel ${channel.id} could not be brought up to the chain`)
    shown = (account) => account
    await treasury.sync()
    await hold()
  })

  it('with less deposited or settled than before is not believed either', async () => {
    const address = channel.client.address
    const before = await stand.chain.account(address)
    await channel.client.topUp(channel.payer, 1_000_000_000n)
    await treasury.sync()
    const after = { deposited: 11_000_000_000n }
    expect(await stand.ledger.channelState(channel.id)).toMatchObject(after)
    const account = stand.chain.account
    const stale = stand.again({
      chain: { ...stand.chain, account: async (of) => (of.equals(address) ? before : await account(of)) },
    })
    await stale.sync()
    expect(await stand.ledger.channelState(channel.id)).toMatchObject({ ...after, frozen: null })
    expect(stand.warnings).toContain(`channel ${channel.id} could not be brought up to the chain`)
  })
})

describe('on a chain that counts requests', () => {
  it('each channel that is used is looked at once in a while', async () => {
    await hold()
    let looks = 0
    let looked = Promise.withResolvers<void>()
    const { instant: _, ...chain } = stand.chain
    const slow = new Treasury({
      ...stand,
      chain: {
        ...chain,
        account: async (address) => {
          if (address.equals(channel.client.address)) {
            looks++
            looked.resolve()
          }
          return await chain.account(address)
        },
      },
      terms: { lookSeconds: 60 },
      monotonic: () => clock,
    })
    const stop = slow.watch(1)
    await looked.promise
    clock = 59_999
    // This look is one that was asked for; ticks of meanwhile have nothing to look at.
    await slow.sync()
    expect(looks).toBe(2)
    looked = Promise.withResolvers()
    clock += 60_000
    await looked.promise
    stop()
    expect(looks).toBe(3)
  })
})
