/** A gateway and a worker in this process on a local chain behind a socket, and registries that a test's owner deploys. */

import type { KeyObject } from 'node:crypto'
import { randomBytes } from 'node:crypto'
import { EventEmitter, on } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { fromBase64 } from '../../attest/bytes.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import { parseQuote } from '../../attest/tdx/quote.ts'
import { type Registers, registersOf } from '../../attest/tdx/registers.ts'
import { type LocalChainServer, startLocalChainServer } from '../../contracts/chain/local/server.ts'
import {
  connectLocalChain,
  type Entry,
  gatewayEntry,
  generateKey,
  type LocalChain,
  measurementEntry,
  modelEntry,
  Registry,
  type RegistryModel,
  rawPublicKey,
  readGovernance,
  signAct,
  Wallet,
} from '../../contracts/index.ts'
import { readSettings } from '../../worker/config.ts'
import { scriptedEngine } from '../../worker/engine/testing/scripted.ts'
import { silentLog } from '../../worker/log.ts'
import { type RunningWorker, runWorker } from '../../worker/run.ts'
import type { WorkerStatus } from '../../worker/status.ts'
import { gatewaySchema } from '../config.ts'
import { type RunningGateway, startGateway } from '../server.ts'
import { TreasuryKeys } from '../treasury/index.ts'

const TOKEN = randomBytes(32).toString('hex')
/** What the scripted engine serves. */
export const MODEL = { id: 'chrysalis/scripted', sha256: 'ab'.repeat(32) }
/** Above what the worker asks, and below what the gateway does, but for cached tokens. */
export const PRICES: RegistryModel = {
  id: MODEL.id,
  prompt: 40_000_000n,
  cached: 20_000_000n,
  completion: 150_000_000n,
  reasoning: 150_000_000n,
}

/** What is in a registry from the start. */
export interface Tables {
  measurements?: readonly Registers[]
  model?: RegistryModel
  gateway?: string
  minSoftware?: string
}

/** A registry with one owner, who can do everything at once that narrows. */
export class OwnedRegistry {
  readonly address: string
  readonly #registry: Registry
  readonly #owner: KeyObject
  readonly #wallet: Wallet
  readonly #chain: LocalChain

  constructor(registry: Registry, owner: KeyObject, wallet: Wallet, chain: LocalChain) {
    this.#registry = registry
    this.#owner = owner
    this.#wallet = wallet
    this.#chain = chain
    this.address = registry.address.toString()
  }

  /** Revokes a key of any table, or of a platform. */
  async revoke(key: string): Promise<void> {
    const { epoch, owners } = await readGovernance(this.#chain, this.#registry.address)
    const signature = signAct(this.#owner, {
      ...{ globalId: this.#chain.globalId, registry: this.#registry.address, epoch, owner: 0 },
      acts: owners.get(0)?.acts ?? 0,
      act: { kind: 'revoke', key },
    })
    await this.#wallet.send(this.#chain, [this.#registry.revoke(0, key, signature)])
  }
}

/** A worker and all that it told. */
export interface ToldWorker extends RunningWorker {
  /** Resolves with the first status, also of the past, that is as asked. */
  status(is: (status: WorkerStatus) => boolean): Promise<WorkerStatus>
}

/** Folders, chain and keys of one network; what runs on it is started by tests and ends with it. */
export class RegistryNetwork implements AsyncDisposable {
  readonly dir: string
  readonly server: LocalChainServer
  readonly chain: LocalChain
  readonly #wallet: Wallet
  readonly #running: (() => Promise<void>)[] = []

  private constructor(dir: string, server: LocalChainServer, chain: LocalChain, wallet: Wallet) {
    this.dir = dir
    this.server = server
    this.chain = chain
    this.#wallet = wallet
  }

  static async open(): Promise<RegistryNetwork> {
    const dir = await mkdtemp(join(tmpdir(), 'chrysalis-registry-'))
    await writeFile(join(dir, 'token'), TOKEN, { mode: 0o600 })
    const server = await startLocalChainServer({ dir: join(dir, 'chain'), port: 0, token: TOKEN })
    const chain = await connectLocalChain({ url: server.url, token: TOKEN })
    const wallet = Wallet.fromSeed(randomBytes(32), chain.globalId)
    await chain.fund(wallet.address, 100_000_000_000n)
    return new RegistryNetwork(dir, server, chain, wallet)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.server.close()
    await rm(this.dir, { recursive: true })
  }

  /** Ends worker and gateway, the last started first. */
  async stop(): Promise<void> {
    for (const end of this.#running.splice(0).reverse()) await end()
  }

  /** Raw address of the gateway's wallet. */
  async gatewayWallet(): Promise<string> {
    const keys = await TreasuryKeys.open(join(this.dir, 'gateway', 'keys'), this.chain.globalId)
    return keys.gateway.address.toRawString()
  }

  /** Deploys a registry for a month with what is given; entries take effect at once, as the first ones do. */
  async deploy({ measurements = [], model, gateway, minSoftware = '0.0.1' }: Tables): Promise<OwnedRegistry> {
    const owner = generateKey()
    const entries: Entry[] = measurements.map((registers) => measurementEntry(asEntry(registers)))
    if (model) entries.push(modelEntry(MODEL.sha256, model))
    if (gateway !== undefined)
      entries.push(gatewayEntry(gateway.split(':')[1] ?? '', { endpoint: 'https://gateway.example' }))
    const registry = Registry.fromParams({
      ...{ owners: [rawPublicKey(owner)], threshold: 1, delaySeconds: 3600, policyVersion: 1, minSoftware },
      expiresAt: (await this.chain.now()) + 30 * 86_400,
      entries,
    })
    await this.#wallet.send(this.chain, [registry.deploy(1_000_000_000n)])
    return new OwnedRegistry(registry, owner, this.#wallet, this.chain)
  }

  async gateway(
    argv: Partial<Record<keyof typeof gatewaySchema.shape, unknown>> = {},
  ): Promise<RunningGateway> {
    const config = gatewaySchema.parse({
      ...{ port: 0, data: join(this.dir, 'gateway'), teeDir: join(this.dir, 'tee'), tee: 'simulated' },
      ...{ chainUrl: this.server.url, chainTokenFile: join(this.dir, 'token'), registrySeconds: 1 },
      ...argv,
    })
    const gateway = await startGateway(config, pino({ level: 'silent' }))
    this.#running.push(() => gateway.stop(0))
    return gateway
  }

  async worker({ url }: Pick<RunningGateway, 'url'>, argv: string[] = []): Promise<ToldWorker> {
    const told: WorkerStatus[] = []
    const events = new EventEmitter()
    const flags = [
      ...[
        '--gateway-url',
        `${url.replace('http', 'ws')}/link`,
        '--tee',
        'simulated',
        '--registry-seconds',
        '1',
      ],
      ...[
        '--data',
        join(this.dir, 'worker'),
        '--tee-dir',
        join(this.dir, 'tee'),
        '--chain-url',
        this.server.url,
      ],
      ...['--chain-token-file', join(this.dir, 'token'), ...argv],
    ]
    const worker = await runWorker(readSettings({ argv: flags, env: {} }), {
      log: silentLog,
      onFatal: (error) => events.emit('error', error),
      tell: (status) => {
        told.push(status)
        events.emit('told', status)
      },
      startEngine: async () => scriptedEngine(),
    })
    this.#running.push(() => worker.close(0))
    const status = async (is: (status: WorkerStatus) => boolean): Promise<WorkerStatus> => {
      const later = on(events, 'told')
      const known = told.find(is)
      if (known) return known
      for await (const [next] of later) if (is(next)) return next
      throw new Error('the worker tells no more')
    }
    return { ...worker, status }
  }
}

/** RTMR3 follows from each one's settings, so a registry does not name it. */
function asEntry({ mrTd, rtmr: [zero = '', one = '', two = ''] }: Registers) {
  const rtmr = [zero, one, two, null] as const
  return {
    roles: ['worker', 'gateway'] as const,
    mrTd,
    rtmr,
    mrConfigId: null,
    mrOwner: null,
    mrOwnerConfig: null,
  }
}

/** What a bundle's TD measured. */
export function measuredBy({ quote }: EvidenceBundle): Registers {
  return registersOf(parseQuote(fromBase64(quote)).body)
}
