import { randomBytes } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Chain } from '../../contracts/index.ts'
import { MemoryChain } from '../../contracts/testing.ts'
import type { ApiKey, ChannelRecord, NewChannel } from '../ledger/index.ts'
import { ClientChannels, type ClientChannelsOptions } from './channels.ts'
import { Payee, type Payer, TON } from './testing/payer.ts'

let chain: MemoryChain
let payee: Payee
let madeUp: Payer

beforeAll(async () => {
  chain = await MemoryChain.create()
  payee = new Payee(chain, await chain.wallet())
  madeUp = await payee.payer(0n)
})

const code = (apiCode: string) => expect.objectContaining({ apiCode })

/** Channels over a ledger in memory, with a chain that counts how often it is asked and waits where it is told to. */
function stand(options: Partial<ClientChannelsOptions> = {}) {
  const records = new Map<string, ChannelRecord>()
  const stand = {
    records,
    now: 0,
    looks: 0,
    atOnce: 0,
    most: 0,
    wait: undefined as Promise<void> | undefined,
    fail: undefined as Error | undefined,
  }
  const watched = Object.create(chain) as Chain
  watched.account = async (address) => {
    stand.looks += 1
    stand.atOnce += 1
    stand.most = Math.max(stand.most, stand.atOnce)
    try {
      await stand.wait
      if (stand.fail) throw stand.fail
      return await chain.account(address)
    } finally {
      stand.atOnce -= 1
    }
  }
  const ledger = {
    channelNow: (id: string) => records.get(id),
    keys: { accountOf: async (channel: string) => ({ id: `chan_${channel}`, channel }) as ApiKey },
    putChannel: async (channel: NewChannel) => {
      const record = {
        state: 'open',
        signer: 'client',
        charged: 0n,
        ceiling: 0n,
        ...channel,
      } as ChannelRecord
      records.set(channel.id, record)
      return record
    },
    updateDeposit: async (id: string, deposited: bigint) => {
      const record = { ...records.get(id), deposited } as ChannelRecord
      records.set(id, record)
      return record
    },
  }
  const channels = new ClientChannels({
    ...payee.desk,
    chain: watched,
    ledger,
    monotonic: () => stand.now,
    ...options,
  })
  return Object.assign(stand, { channels })
}

const register = (at: ReturnType<typeof stand>, { params }: Pick<Payer, 'params'>, caller = '10.0.0.1') =>
  at.channels.register(params, caller)

/** Shows a channel that nobody has opened. */
const showMadeUp = (at: ReturnType<typeof stand>, caller = '10.0.0.1') =>
  at.channels.register({ ...madeUp.params, salt: randomBytes(32) }, caller)

describe('a channel that is shown for the first time', () => {
  it('is looked up once, however many ask', async () => {
    const at = stand()
    const payer = await payee.payer()
    const found = await Promise.all(Array.from({ length: 5 }, () => register(at, payer)))
    expect(new Set(found.map(({ id }) => id))).toEqual(new Set([payer.address]))
    expect(at.looks).toBe(1)
    expect(at.records.get(payer.address)).toMatchObject({ deposited: TON, signer: 'client' })
    expect(await at.channels.known(payer.address)).toBe(await at.channels.known(payer.address))
  })

  it('and is not there, is not looked for again for some seconds', async () => {
    const at = stand()
    const payer = await payee.payer(0n)
    for (let i = 0; i < 3; i++) await expect(register(at, payer)).rejects.toEqual(code('payment_required'))
    expect(at.looks).toBe(1)
    await payer.client.open(payer.wallet, TON)
    at.now = 5_000
    expect((await register(at, payer)).id).toBe(payer.address)
    expect(at.looks).toBe(2)
  })

  it('while the chain is away, is looked for again at once', async () => {
    const at = stand()
    const payer = await payee.payer()
    at.fail = Object.assign(new Error('away'), { code: 'ERR_CHAIN_UNREACHABLE' })
    await expect(register(at, payer)).rejects.toEqual(code('chain_unavailable'))
    at.fail = undefined
    expect((await register(at, payer)).id).toBe(payer.address)
  })

  it('is refused without a look for a key with which verifiers disagree', async () => {
    const at = stand()
    const honest = await payee.payer(0n)
    const torsion = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
    const mixed = ed25519.Point.fromBytes(honest.params.voucherKey).add(torsion).toBytes()
    for (const voucherKey of [torsion.toBytes(), mixed, Buffer.alloc(32, 2)]) {
      const payer = await payee.payer(0n, { voucherKey })
      await expect(register(at, payer)).rejects.toEqual(code('channel_refused'))
    }
    expect(at.looks).toBe(0)
  })
})

describe('a flood of made-up channels', () => {
  it('is stopped at so many a minute for one address, and for all', async () => {
    const at = stand({ perMinute: 3 })
    for (let i = 0; i < 3; i++) await expect(showMadeUp(at)).rejects.toEqual(code('payment_required'))
    await expect(showMadeUp(at)).rejects.toEqual(code('channel_lookups'))
    const real = await payee.payer()
    await expect(register(at, real)).rejects.toEqual(code('channel_lookups'))
    // From elsewhere the same channel is found: what one address used up says nothing of it.
    expect((await register(at, real, '10.0.0.2')).id).toBe(real.address)
    for (let i = 0; i < 26; i++)
      await expect(showMadeUp(at, `10.0.1.${i}`)).rejects.toEqual(code('payment_required'))
    await expect(showMadeUp(at, '10.0.2.1')).rejects.toEqual(code('channel_lookups'))
    expect(at.looks).toBe(30)
    at.now = 60_000
    await expect(showMadeUp(at)).rejects.toEqual(code('payment_required'))
  })

  it('asks the chain for four at once, and lets few wait', async () => {
    const at = stand({ perMinute: 1000 })
    const { promise, resolve } = Promise.withResolvers<void>()
    at.wait = promise
    const asked = Array.from({ length: 37 }, () => showMadeUp(at).catch((error: unknown) => error))
    expect(await asked[36]).toEqual(code('server_busy'))
    resolve()
    expect(await Promise.all(asked.slice(0, 36))).toEqual(Array(36).fill(code('payment_required')))
    expect(at.most).toBe(4)
  })
})

describe('a deposit that has grown', () => {
  it('is credited when it is asked for, a look each few seconds', async () => {
    const at = stand()
    const payer = await payee.payer()
    const channel = await register(at, payer)
    await payer.client.topUp(payer.wallet, TON)
    await at.channels.refresh(channel, '10.0.0.1')
    expect(at.records.get(channel.id)?.deposited).toBe(TON)
    at.now = 5_000
    await at.channels.refresh(channel, '10.0.0.1')
    expect(at.records.get(channel.id)?.deposited).toBe(2n * TON)
    expect(at.looks).toBe(2)
  })
})
