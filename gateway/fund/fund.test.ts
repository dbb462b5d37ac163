import { type Address, internal } from '@ton/core'
import fc from 'fast-check'
import { encode } from 'uqr'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { World } from '../../contracts/chain/testing/world.ts'
import { ATTACH, ChannelClient, RENT_RESERVE, Wallet } from '../../contracts/index.ts'
import { MemoryChain, TestChannel } from '../../contracts/testing.ts'
import { AskedWallet } from './asked-wallet.ts'
import { orderOf, type PaymentOrder, tonConnectRequest, tonkeeperLink, tonLink } from './order.ts'
import { svgQr, terminalQr } from './qr.ts'
import { type Habits, messageOfLink, messagesOfRequest } from './testing/link-wallet.ts'

const TON = 1_000_000_000n

let chain: MemoryChain
let test: TestChannel
let payer: Wallet
beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestChannel.create(chain)
  payer = test.payer
})

/** A client whose wallet is a person that does `pay` when asked. */
function asked(pay: (order: PaymentOrder) => Promise<void> | void, looks = 1) {
  const { address } = payer
  const wallet = new AskedWallet({ address, globalId: chain.globalId, show: pay, patience: looks })
  return { wallet, client: new ChannelClient({ chain, params: test.params, pause: async () => {} }) }
}
const byLink = (habits: Habits) => (order: PaymentOrder) =>
  payer.send(chain, [messageOfLink(tonLink(order), habits)])

describe('a wallet that is asked', () => {
  it('opens by the link, tops up by https, closes by TON Connect', async () => {
    const opening = asked(byLink({}))
    expect(await opening.client.open(opening.wallet, TON)).toMatchObject({ deposited: TON, closeAt: 0 })

    const adding = asked((order) => payer.send(chain, [messageOfLink(tonkeeperLink(order))]))
    expect(await adding.client.topUp(adding.wallet, TON)).toMatchObject({ deposited: 2n * TON })

    const closing = asked((order) => payer.send(chain, messagesOfRequest(tonConnectRequest(order))))
    const before = await payer.balance(chain)
    await closing.client.coopClose(closing.wallet, 5n, test.release(5n))
    expect((await payer.balance(chain)) - before).toBeGreaterThan(2n * TON - ATTACH)
  })

  it('is waited for, and a person that does nothing is told so', async () => {
    let looks = 0
    const { client, wallet } = asked(() => {})
    const slow = new ChannelClient({
      chain,
      params: test.params,
      pause: async () => {
        looks++
        if (looks === 3) await payer.send(chain, [client.channel.deploy(TON)])
      },
    })
    expect(await slow.open(wallet, TON)).toMatchObject({ deposited: TON })
    expect(looks).toBe(3)
    await expect(client.topUp(wallet, TON)).rejects.toMatchObject({ code: 'ERR_CHANNEL_UNCONFIRMED' })
  })

  it('tells when the wallet has sent something, once, and what it receives says nothing', async () => {
    const said: string[] = []
    const { address } = payer
    const elsewhere = Wallet.fromSeed(Buffer.alloc(32, 9), chain.globalId)
    const message = internal({ to: elsewhere.address, value: TON, bounce: false })
    const { client } = asked(() => {})
    const turns = [
      async () => void (await chain.fund(address, TON)),
      async () => void (await payer.send(chain, [message, message])),
      async () => void (await payer.send(chain, [message])),
      async () => void (await payer.send(chain, [client.channel.deploy(TON)])),
    ]
    const pause = async () => {
      said.push('pause')
      await turns.shift()?.()
    }
    const show = () => void said.push('shown')
    const wallet = new AskedWallet({
      ...{ address, globalId: chain.globalId, show, pause, patience: 9 },
      onSent: () => said.push('sent'),
    })
    const waiting = new ChannelClient({ chain, params: test.params, pause: wallet.pause })
    expect(await waiting.open(wallet, TON)).toMatchObject({ deposited: TON })
    expect(said).toEqual(['shown', 'pause', 'pause', 'sent', 'pause', 'pause'])
  })

  it('is not waited for much longer than its link is good, however slow the chain is', async () => {
    const { address } = payer
    let ms = 0
    const pause = async () => {
      ms += 60_000
    }
    const wallet = new AskedWallet({
      ...{ address, globalId: chain.globalId, show: () => {}, pause, patience: 600 },
      monotonic: () => ms,
    })
    const client = new ChannelClient({ chain, params: test.params, pause: wallet.pause })
    await expect(client.open(wallet, TON)).rejects.toMatchObject({ code: 'ERR_FUND_UNPAID' })
    expect(ms).toBe(720_000)
  })

  it('is waited for although the chain cannot be asked about the wallet', async () => {
    const { address } = payer
    const { client } = asked(() => {})
    let shown = false
    const deaf = Object.assign(Object.create(chain), {
      account: (of: Address) =>
        shown && of.equals(address) ? Promise.reject(new Error('no answer')) : chain.account(of),
    })
    const show = () => {
      shown = true
    }
    const pause = () => payer.send(chain, [client.channel.deploy(TON)])
    const wallet = new AskedWallet({ ...{ address, globalId: chain.globalId, show, pause, patience: 9 } })
    const waiting = new ChannelClient({ chain: deaf, params: test.params, pause: wallet.pause })
    expect(await waiting.open(wallet, TON)).toMatchObject({ deposited: TON })
  })

  it('pays the very message that the client would have sent, for any channel and amount', async () => {
    const amounts = fc.bigInt({ min: 1n, max: 10n ** 18n })
    const hash = (each: { body: { hash(): Buffer } }) => each.body.hash().toString('hex')
    fc.assert(
      fc.property(amounts, fc.nat(), (amount, expires) => {
        const message = new ChannelClient({ chain, params: test.params }).channel.deploy(amount)
        const order = orderOf(message, { from: payer.address, globalId: chain.globalId, expires })
        for (const read of [
          messageOfLink(tonLink(order)),
          messageOfLink(tonkeeperLink(order)),
          ...messagesOfRequest(tonConnectRequest(order)),
        ]) {
          expect(read.info).toMatchObject({ value: { coins: amount + RENT_RESERVE + ATTACH }, bounce: true })
          expect(hash(read)).toBe(hash(message))
          expect(read.init?.code?.equals(message.init?.code as never)).toBe(true)
          expect(read.init?.data?.equals(message.init?.data as never)).toBe(true)
        }
      }),
    )
  })

  it('names network, wallet and end, and does not give an address of mainnet elsewhere', () => {
    const message = new ChannelClient({ chain, params: test.params }).channel.topUp(TON)
    const order = orderOf(message, { from: payer.address, globalId: -3, expires: 17 })
    expect(tonConnectRequest(order)).toMatchObject({
      network: '-3',
      from: payer.address.toRawString(),
      validUntil: 17,
    })
    expect(tonLink(order)).toMatch(/^ton:\/\/transfer\/k[A-Za-z0-9_-]{47}\?amount=\d+&bin=[\w-]+&exp=17$/)
    expect(tonLink({ ...order, globalId: -239 })).toMatch(/^ton:\/\/transfer\/E/)
  })
})

it('is waited for over two providers, until the deposit is in a final block', async () => {
  const world = await World.start()
  onTestFinished(() => world.close())
  const [person, two] = [await world.wallet(), await world.connect()]
  const params = { ...test.params, payer: person.address, openUntil: world.network.time + 3600 }
  let waited = 0
  let link = ''
  const pause = async () => {
    // The person takes five seconds.
    if (++waited === 5) void person.send(two, [messageOfLink(link)], { pause: () => world.clock.sleep(1000) })
    await world.clock.sleep(1000)
  }
  const show = (order: PaymentOrder) => {
    link = tonLink(order)
  }
  const wallet = new AskedWallet({ address: person.address, globalId: two.globalId, show })
  const client = new ChannelClient({ chain: two, params, pause })
  expect(await client.open(wallet, TON)).toMatchObject({ deposited: TON, closeAt: 0 })
  expect(waited).toBeGreaterThanOrEqual(5)
})

describe('a wallet that leaves out part of the link', () => {
  /** What is left once everything that could come back has come back; gas of a few messages is lost. */
  const back = async (habits: Habits) => {
    const before = await payer.balance(chain)
    const { client, wallet } = asked(byLink(habits))
    await expect(client.open(wallet, TON)).rejects.toMatchObject({ code: 'ERR_CHANNEL_UNCONFIRMED' })
    return before - (await payer.balance(chain))
  }

  it('has the deposit back at once without init, or without bin', async () => {
    expect(await back({ ignores: ['init'] })).toBeLessThan(TON / 50n)
    expect(await back({ ignores: ['bin'] })).toBeLessThan(TON / 50n)
    // And the channel opens all the same.
    const { client, wallet } = asked(byLink({}))
    expect(await client.open(wallet, TON)).toMatchObject({ deposited: TON })
  })

  it('has it back with the next deposit where it did not let the message bounce', async () => {
    expect(await back({ ignores: ['init', 'bounce'] })).toBeGreaterThan(TON)
    const before = await payer.balance(chain)
    const { client, wallet } = asked(byLink({}))
    expect(await client.open(wallet, TON)).toMatchObject({ deposited: TON })
    // The second deposit was paid and the first came back.
    expect(before - (await payer.balance(chain))).toBeLessThan(TON / 50n)
  })

  it('has it back at the end where it paid into an open channel without a word', async () => {
    const opening = asked(byLink({}))
    await opening.client.open(opening.wallet, TON)
    const before = await payer.balance(chain)
    const { client, wallet } = asked(byLink({ ignores: ['bin', 'bounce'] }))
    await expect(client.topUp(wallet, TON)).rejects.toMatchObject({ code: 'ERR_CHANNEL_UNCONFIRMED' })
    chain.time += 700
    await client.coopClose(payer, 0n, test.release(0n))
    expect((await payer.balance(chain)) - before).toBeGreaterThan(TON - TON / 50n)
  })
})

describe('the QR code', () => {
  it('holds the link to a new channel, and is left out where the terminal is too narrow', () => {
    const message = new ChannelClient({ chain, params: test.params }).channel.deploy(10n ** 18n)
    const link = tonLink(orderOf(message, { from: payer.address, globalId: -239, expires: 2_000_000_000 }))
    const { size, data } = encode(link, { ecc: 'L', border: 2 })
    expect(terminalQr(link, size - 1)).toBeUndefined()
    const lines = terminalQr(link, size)?.split('\n') ?? []
    expect(lines).toHaveLength(Math.ceil(size / 2))
    lines.forEach((line, y) => {
      const cells = [...line.slice('\u001b[97;40m'.length, -'\u001b[0m'.length)]
      cells.forEach((cell, x) => {
        // White is drawn, black is the background.
        expect(cell === ' ' || cell === '▄').toBe(data[2 * y]?.[x])
        if (2 * y + 1 < size) expect(cell === ' ' || cell === '▀').toBe(data[2 * y + 1]?.[x])
      })
    })
    expect(svgQr(link)).toContain('<svg')
  })
})
