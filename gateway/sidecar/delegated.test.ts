/** A payer without a voucher key of his own against a gateway over HTTP: what is refused before and after he has paid. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { ChannelClient, generateKey, rawPublicKey, type Wallet } from '../../contracts/index.ts'
import { TON } from '../pay/testing/payer.ts'
import { Shop } from '../pay/testing/shop.ts'
import { closeByAgreement } from './channel.ts'
import { askOwnRelease, depositOf, openDelegated, readDelegatedTerms, topUpDelegated } from './delegated.ts'
import { SidecarFolder } from './folder.ts'
import { Upstream } from './upstream.ts'

let shop: Shop
let folder: SidecarFolder
let dir: string
let wallet: Wallet
beforeAll(async () => {
  shop = await Shop.open()
})
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-delegated-'))
  folder = await SidecarFolder.open(dir)
  wallet = await shop.chain.wallet()
})
afterEach(() => {
  folder.close()
  rmSync(dir, { recursive: true })
})
afterAll(async () => await shop[Symbol.asyncDispose]())

const code = (name: string) => expect.objectContaining({ code: name })

/** The gateway with other terms for API keys, as after a restart. */
const other = (changed: object) => {
  const { delegated, ...desk } = shop.payee.desk
  if (!delegated) throw new Error('no terms')
  return Shop.open({ payments: { ...desk, perMinute: 1000, delegated: { ...delegated, ...changed } } })
}

async function open(at = shop, deposit = TON, retry?: () => Promise<void>) {
  const { chain } = shop
  const upstream = new Upstream(at.net.url)
  const terms = await readDelegatedTerms(upstream, chain.globalId)
  try {
    return await openDelegated({ folder, upstream, chain, wallet, deposit, terms, ...(retry && { retry }) })
  } finally {
    upstream.close()
  }
}

it('makes one channel and one key, whatever interrupts it, and another when that is done', async () => {
  const { hold } = await withoutGateway(shop)
  const channel = await open(shop, 2n * TON)
  expect(channel.address).toBe(hold)
  const { apiKey } = await channel.secrets()
  expect((await shop.net.ledger.keys.find(apiKey))?.channel).toBe(channel.address)
  expect((await channel.movements()).map(({ amount }) => amount)).toEqual([TON])
  expect((await open()).address).not.toBe(channel.address)
})

it('names the way out when the key of the gateway is gone between order and payment', async () => {
  await using restarted = await other({ voucherKey: rawPublicKey(generateKey()), kept: 'memory' })
  const { hold, name } = await withoutGateway(restarted)
  await expect(open(restarted)).rejects.toEqual(code('ERR_TERMS_DIFFER'))
  await expect(open(restarted)).rejects.toThrow(`channel close --channel ${name} --start-close`)
  const [channel] = await folder.channels()
  if (!channel) expect.fail()
  const client = new ChannelClient({ chain: shop.chain, params: channel.record.params })
  await client.startClose(wallet)
  // From then on it is in nobody's way.
  expect((await open(restarted)).address).not.toBe(hold)
})

it('shows the secrets of a channel to no other gateway than its own, be that one paid at the same address', async () => {
  await using liar = await Shop.open({}, shop.payee)
  const { hold, name, gateway } = await withoutGateway()
  await expect(open(liar)).rejects.toEqual(code('ERR_TERMS_DIFFER'))
  await expect(open(liar)).rejects.toThrow(`${name} was paid for at ${gateway}`)
  expect(await liar.net.ledger.channelState(hold)).toBeUndefined()
})

it('adds what the gateway credits, and pays nothing where it would not', async () => {
  const channel = await open()
  const upstream = new Upstream(shop.net.url)
  const { chain } = shop
  const retry = async () => shop.net.clock.advance(5_000)
  const topUp = (amount: bigint) => topUpDelegated(channel, { upstream, chain, wallet, retry }, amount)
  await topUp(TON)
  expect(await shop.net.ledger.channelState(channel.address)).toMatchObject({ deposited: 2n * TON })
  const before = await wallet.balance(chain)
  await expect(topUp(TON + 1n)).rejects.toThrow(
    /amount: the gateway credits 3000000000 nanotons at most in all/,
  )
  await askOwnRelease(upstream, channel)
  await expect(topUp(1n)).rejects.toThrow(/answers 402.*is closing/)
  expect(await wallet.balance(chain)).toBe(before)
  upstream.close()
})

it('closes with no more than the deposit, and tells how else', async () => {
  await expect(folder.channel()).rejects.toThrow(/there is no channel in/)
  const channel = await open()
  await expect(folder.channel()).rejects.toThrow(/no channel but for API keys, to be named by --channel/)
  const release = { amount: TON + 1n, signature: new Uint8Array(64) }
  await expect(
    closeByAgreement(
      channel,
      { chain: shop.chain, wallet },
      { release, verified: await depositOf(channel, shop.chain) },
    ),
  ).rejects.toThrow(
    `the deposit is ${TON}; close without it: chrysalis channel close --channel ${channel.name} --start-close`,
  )
})

it('pays nothing where the gateway would refuse it', async () => {
  const before = await wallet.balance(shop.chain)
  await expect(open(shop, 4n * TON)).rejects.toThrow(
    /deposit: the gateway credits 3000000000 nanotons at most/,
  )
  await expect(open(shop, 1n)).rejects.toThrow(/takes channels of 100000000 nanotons or more/)
  await using closed = await other({ offered: false })
  await expect(open(closed)).rejects.toThrow(/answers 403.*makes all API keys himself/)
  expect(await wallet.balance(shop.chain)).toBe(before)
  expect(await folder.channels()).toEqual([])
})

/** Pays, and is interrupted before the gateway knows of it. @param at where the gateway is from then on */
async function withoutGateway(at?: Shop): Promise<{ hold: string; name: string; gateway: string }> {
  const { delegated } = shop.payee.desk
  // A gateway that sees an older chain, where there is no such channel yet.
  const blind = Object.create(shop.chain) as typeof shop.chain
  blind.account = async () => ({ balance: 0n, state: 'uninit' }) as Awaited<ReturnType<typeof blind.account>>
  await using behind = await Shop.open({
    payments: { ...shop.payee.desk, chain: blind, perMinute: 1000, delegated },
  })
  const interrupted = new Error('interrupted')
  await expect(open(behind, TON, () => Promise.reject(interrupted))).rejects.toBe(interrupted)
  const [{ address: hold, name, dir: its } = expect.fail()] = await folder.channels()
  const file = join(its, 'channel.json')
  if (at) writeFileSync(file, readFileSync(file, 'utf8').replace(behind.net.url, at.net.url))
  return { hold, name, gateway: behind.net.url }
}
