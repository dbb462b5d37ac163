/** A sidecar before a fake gateway, each on its own socket, over a channel that exists nowhere else. */

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import OpenAI from 'openai'
import { type ChannelParams, generateKey, LOCAL_GLOBAL_ID, rawPublicKey } from '../../../contracts/index.ts'
import { silentLog } from '../../../worker/log.ts'
import { SidecarFolder } from '../folder.ts'
import { type Sidecar, type SidecarOptions, startSidecar } from '../server.ts'
import { FakeGateway, PRICES } from './fake-gateway.ts'

export const SLICE = 1_000n

export class Stand implements AsyncDisposable {
  readonly gateway: FakeGateway
  readonly folder: SidecarFolder
  readonly #dir: string
  #sidecar: Sidecar | undefined

  private constructor(gateway: FakeGateway, folder: SidecarFolder, dir: string) {
    this.gateway = gateway
    this.folder = folder
    this.#dir = dir
  }

  static async open(options: Partial<SidecarOptions> = {}, deposited = 1_000_000n): Promise<Stand> {
    const dir = await mkdtemp(join(tmpdir(), 'chrysalis-sidecar-'))
    const key = generateKey()
    const params: ChannelParams = {
      payer: new Address(0, randomBytes(32)),
      payee: new Address(0, randomBytes(32)),
      voucherKey: rawPublicKey(key),
      payeeKey: rawPublicKey(generateKey()),
      challengeSeconds: 3600,
      openUntil: 2_000_000_000,
      salt: randomBytes(32),
    }
    const gateway = await FakeGateway.open(params, LOCAL_GLOBAL_ID, deposited)
    const folder = await SidecarFolder.open(dir)
    const record = { gateway: gateway.url, globalId: LOCAL_GLOBAL_ID, params, slice: SLICE }
    await folder.makeCurrent(await folder.add(record, key))
    const stand = new Stand(gateway, folder, dir)
    await stand.start(options)
    return stand
  }

  get sidecar(): Sidecar {
    if (!this.#sidecar) throw new Error('not started')
    return this.#sidecar
  }

  /** Starts the sidecar on the folder as it is. */
  async start(options: Partial<SidecarOptions> = {}): Promise<void> {
    const key = Buffer.from(this.gateway.worker, 'hex')
    this.#sidecar = await startSidecar({
      channel: await this.folder.channel(),
      apiKey: (await this.folder.apiKey()).key,
      host: '127.0.0.1',
      port: 0,
      trust: { workers: { find: async (name) => (name === this.gateway.worker ? { key } : undefined) } },
      prices: PRICES,
      slice: SLICE,
      bodyBytes: 1 << 20,
      log: silentLog as SidecarOptions['log'],
      pause: async () => {},
      ...options,
    })
  }

  async stop(): Promise<void> {
    await this.#sidecar?.stop()
    this.#sidecar = undefined
  }

  async sdk(): Promise<OpenAI> {
    return new OpenAI({
      baseURL: `${this.sidecar.url}/v1`,
      apiKey: (await this.folder.apiKey()).key,
      maxRetries: 0,
    })
  }

  /** One chat, whole. */
  async chat(): Promise<unknown> {
    const sdk = await this.sdk()
    return await sdk.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })
  }

  /** Resolves when `holds`, looked at whenever the accounts move. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.sidecar.accounts.moved
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.gateway.close()
    this.folder.close()
    await rm(this.#dir, { recursive: true, force: true })
  }
}
