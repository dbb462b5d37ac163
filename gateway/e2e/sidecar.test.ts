/** The sidecar before the real gateway: real link, seal, ledger and evidence, a chain in memory, a scripted engine. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import { generateKey, readChannel, type Wallet } from '../../contracts/index.ts'
import { MemoryChain } from '../../contracts/testing.ts'
import { silentLog } from '../../worker/log.ts'
import { Payee, TON } from '../pay/testing/payer.ts'
import { askRelease, closeByAgreement, openChannel } from '../sidecar/channel.ts'
import {
  type ChannelFolder,
  type Sidecar,
  SidecarFolder,
  type SidecarOptions,
  startSidecar,
} from '../sidecar/index.ts'
import { restoreChannel } from '../sidecar/restore.ts'
import { openParts } from '../sidecar/server.ts'
import { Upstream } from '../sidecar/upstream.ts'
import { InProcess } from './inprocess.ts'

const PRICES = { prompt: '1000000', cached: '1000000', completion: '2000000', reasoning: '2000000' }
const SLICE = TON / 100n

let chain: MemoryChain
let net: InProcess
let payee: Payee
beforeAll(async () => {
  chain = await MemoryChain.create()
  payee = new Payee(chain, await chain.wallet())
  net = await InProcess.open({ payments: payee.desk, requestsPerMinute: 100_000 })
})
afterAll(() => net[Symbol.asyncDispose]())

/** A user's machine: folder, wallet, channel, sidecar. */
class User implements AsyncDisposable {
  readonly dir: string
  readonly folder: SidecarFolder
  readonly wallet: Wallet
  channel: ChannelFolder
  sidecar: Sidecar | undefined

  private constructor(dir: string, folder: SidecarFolder, wallet: Wallet, channel: ChannelFolder) {
    this.dir = dir
    this.folder = folder
    this.wallet = wallet
    this.channel = channel
  }

  static async open(options: Partial<SidecarOptions> = {}, deposit = TON): Promise<User> {
    const dir = await mkdtemp(join(tmpdir(), 'chrysalis-user-'))
    const folder = await SidecarFolder.open(dir)
    const wallet = await chain.wallet()
    const upstream = new Upstream(net.url)
    const channel = await openChannel({ folder, upstream, chain, wallet, deposit, slice: SLICE })
    upstream.close()
    const user = new User(dir, folder, wallet, channel)
    await user.start(options)
    return user
  }

  options(more: Partial<SidecarOptions> = {}): SidecarOptions {
    return {
      channel: this.channel,
      apiKey: 'sk-local-test',
      ...{ host: '127.0.0.1', port: 0, bodyBytes: 1 << 20 },
      trust: { policy: { ...simulatedWithoutLog(net.tee.rootSha256), roles: ['worker'] } },
      ...{ prices: PRICES, slice: SLICE, now: net.clock.now, pause: async () => {} },
      log: silentLog as SidecarOptions['log'],
      ...more,
    }
  }

  async start(more: Partial<SidecarOptions> = {}): Promise<void> {
    this.sidecar = await startSidecar(this.options(more))
  }

  async stop(): Promise<void> {
    await this.sidecar?.stop()
    this.sidecar = undefined
  }

  get state() {
    if (!this.sidecar) throw new Error('not running')
    return this.sidecar.state
  }

  get sdk(): OpenAI {
    return new OpenAI({ baseURL: `${this.sidecar?.url}/v1`, apiKey: 'sk-local-test', maxRetries: 0 })
  }

  /** Resolves once everything that ended is proven. */
  async proven(): Promise<void> {
    while (this.state.open().length > 0 && !this.state.halted) await this.sidecar?.accounts.moved
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    this.folder.close()
    await rm(this.dir, { recursive: true, force: true })
  }
}

const ask = { messages: [{ role: 'user' as const, content: 'one two three' }] }

describe('the openai package with its base URL changed', () => {
  it('chats, streams and lists models; every charge is proven and the two books agree', async () => {
    await using user = await User.open()
    const { sdk } = user
    const models = await sdk.models.list()
    const model = models.data[0]?.id ?? ''
    const whole = await sdk.chat.completions.create({ model, ...ask })
    expect(whole.choices[0]?.finish_reason).toBeDefined()
    const usage = whole.usage
    const stream = await sdk.chat.completions.create({ model, ...ask, stream: true })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe(whole.choices[0]?.message.content)
    await user.proven()
    expect(user.state.halted).toBeUndefined()
    const record = net.ledger.channelNow(user.channel.address)
    expect(user.state.verified).toBe(record?.charged)
    expect(user.state.verified).toBe(
      2n * BigInt((usage?.prompt_tokens ?? 0) + 2 * (usage?.completion_tokens ?? 0)),
    )
    expect(record?.ceiling).toBeLessThanOrEqual(user.state.verified + SLICE)
  })

  it('gets errors as the gateway writes them', async () => {
    await using user = await User.open()
    const bad = user.sdk.chat.completions.create({ model: 'nobody/has-this', ...ask })
    await expect(bad).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
    await user.proven()
    expect(user.state.verified).toBe(0n)
    expect(user.state.halted).toBeUndefined()
  })

  it('runs twenty requests at once', async () => {
    await using user = await User.open()
    const { sdk } = user
    await Promise.all(
      Array.from({ length: 20 }, () => sdk.chat.completions.create({ model: net.model, ...ask })),
    )
    await user.proven()
    expect(user.state.verified).toBe(net.ledger.channelNow(user.channel.address)?.charged)
    expect(user.state.halted).toBeUndefined()
  })
})

describe('a price ceiling', () => {
  it('below the gateway’s price: the request is refused before any work', async () => {
    await using user = await User.open({ prices: { ...PRICES, completion: '1999999', reasoning: '1999999' } })
    const wanted = { ...ask, max_completion_tokens: 100_000 }
    await expect(user.sdk.chat.completions.create({ model: net.model, ...wanted })).rejects.toMatchObject({
      status: 402,
      code: 'price_above_ceiling',
    })
    expect(net.ledger.channelNow(user.channel.address)?.charged ?? 0n).toBe(0n)
  })
})

describe('after a loss', () => {
  it('of the state: goes on from the gateway’s last voucher, which it knows as its own', async () => {
    await using user = await User.open()
    for (let i = 0; i < 5; i++) await user.sdk.chat.completions.create({ model: net.model, ...ask })
    await user.proven()
    const { verified, ceiling } = user.state
    await user.stop()
    for (const end of ['', '-wal', '-shm']) await rm(user.channel.stateFile + end, { force: true })
    await user.start()
    await user.sdk.chat.completions.create({ model: net.model, ...ask })
    await user.proven()
    expect(user.state.halted).toBeUndefined()
    expect(user.state.ceiling).toBeGreaterThanOrEqual(ceiling)
    expect(user.state.verified).toBe(net.ledger.channelNow(user.channel.address)?.charged)
    expect(user.state.verified).toBeGreaterThan(verified)
    expect(user.state.ceiling).toBeLessThanOrEqual(user.state.verified + SLICE)
  })
})

describe('a channel of which only the key is left', () => {
  it('is restored from the gateway, by its address; another key gets nothing', async () => {
    await using user = await User.open()
    await user.sdk.chat.completions.create({ model: net.model, ...ask })
    await user.proven()
    const { verified } = user.state
    const key = await user.channel.key()
    await user.stop()
    const dir = await mkdtemp(join(tmpdir(), 'chrysalis-restored-'))
    const folder = await SidecarFolder.open(dir)
    const upstream = new Upstream(net.url)
    const address = Address.parse(user.channel.address)
    const options = { folder, upstream, globalId: chain.globalId, address, slice: SLICE, now: net.clock.now }
    await expect(restoreChannel({ ...options, key: generateKey() })).rejects.toMatchObject({
      code: 'ERR_GATEWAY',
    })
    const channel = await restoreChannel({ ...options, key })
    expect(channel.address).toBe(user.channel.address)
    await user.start({ channel })
    await user.sdk.chat.completions.create({ model: net.model, ...ask })
    await user.proven()
    expect(user.state.halted).toBeUndefined()
    expect(user.state.verified).toBe(2n * verified)
    await user.stop()
    upstream.close()
    folder.close()
    await rm(dir, { recursive: true })
  })
})

describe('the end', () => {
  it('by agreement: the gateway gets what was proven, the payer the rest', async () => {
    await using user = await User.open()
    await user.sdk.chat.completions.create({ model: net.model, ...ask })
    await user.proven()
    const { verified } = user.state
    await user.stop()
    const parts = await openParts(user.options())
    const release = await askRelease(parts.client, parts.state)
    expect(release.amount).toBe(verified)
    const before = await payee.wallet.balance(chain)
    await closeByAgreement(user.channel, { chain, wallet: user.wallet }, { release, verified })
    parts.state.close()
    parts.upstream.close()
    const left = await readChannel(user.channel.record.params, chain)
    expect(left === undefined || left.deposited === left.settled).toBe(true)
    expect((await payee.wallet.balance(chain)) - before).toBe(verified)
    // Nothing is served on it any more: not from here, and not by the gateway for who closed it elsewhere.
    await expect(user.start()).rejects.toMatchObject({ code: 'ERR_SIDECAR_CHANNEL' })
    await rm(join(user.channel.dir, 'movements.jsonl'))
    await user.start()
    await expect(user.sdk.chat.completions.create({ model: net.model, ...ask })).rejects.toMatchObject({
      status: 402,
      code: 'channel_closing',
    })
  })
})
