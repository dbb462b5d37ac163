/** Puts a worker process together from its settings. */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type OpenedTee,
  openTee,
  type TeeOptions,
  warnOfSimulation,
  whichTee,
} from '../attest/cli/open-tee.ts'
import { isHardware } from '../attest/cli/policy-setting.ts'
import type { Claims } from '../attest/evidence/index.ts'
import type { GuestMachine } from '../attest/guest/index.ts'
import { withRegistry } from '../attest/policy/index.ts'
import { refusePublicNetwork } from '../attest/simulate/network.ts'
import { type Chain, openChain, openRegistry, rawPublicKey } from '../contracts/index.ts'
import { type AttestationServer, serveAttestation } from './attestation.ts'
import { systemClock } from './clock.ts'
import type { WorkerSettings } from './config.ts'
import { Collector, Earnings } from './earnings/index.ts'
import { claimedModel, type Offer, Worker } from './enclave/index.ts'
import { type Engine, startEngine } from './engine/index.ts'
import { earningsFile, purseOf, takeFolder } from './folder.ts'
import { Link } from './link/index.ts'
import { codeOf, type Log } from './log.ts'
import { openPayee, type Payee } from './payee.ts'
import { readSoftware } from './protocol/software.ts'
import { untilReachable } from './reach.ts'
import { StatusReporter, type WorkerStatus } from './status.ts'
import { runTask, TranslationCache } from './tasks/index.ts'
import { measuredConfiguration, readGatewayPolicy } from './trust.ts'

/** A gateway that is started at the same moment gets this long until the worker dials it. */
const REACH_MS = 15_000

/** In a TDX guest token counts reach the disk for so many requests at once. */
const TOKEN_BATCH = 16

/** A worker that runs. */
export interface RunningWorker {
  /** Resolves at the first join with what a supervisor may print. */
  readonly ready: Promise<ReadyLine>
  /** Lets running requests finish for at most `drainMs`, then ends everything. */
  close(drainMs: number): Promise<void>
}

export interface ReadyLine {
  event: 'ready'
  role: 'worker'
  bootId: string
  tee: string
  model: { id: string; sha256: string; languages?: readonly string[] }
  slots: number
  payoutAddress: string
}

/** What a worker has around it. */
export interface WorkerSurroundings {
  log: Log
  /** It cannot go on. */
  onFatal: (error: unknown) => void
  /** Hears how the worker stands: for a supervisor. */
  tell?: (status: WorkerStatus) => void
  /** The TDX guest, for tests. */
  machine?: GuestMachine
  /** Another engine than the settings' model, for benches; reached from code only. */
  startEngine?: () => Promise<Engine>
}

/**
 * Starts the engine, the enclave and the link.
 * @throws ConfigError, EngineError, ContractsError
 */
export async function runWorker(
  settings: WorkerSettings,
  { log, onFatal, tell = () => {}, machine = {}, startEngine }: WorkerSurroundings,
): Promise<RunningWorker> {
  const status = new StatusReporter(tell, systemClock)
  let link: Link | undefined
  const teeFolder = settings.teeDir ?? join(settings.data, 'tee')
  const kind = await whichTee(settings.tee, machine)
  const base = await readGatewayPolicy(settings, kind, teeFolder)
  warnOfSimulation(settings.tee, kind, log)
  const folder = join(settings.data, 'worker')
  const leave = await takeFolder(folder)
  await mkdir(join(folder, 'keys'), { recursive: true, mode: 0o700 })
  const chain = await openChain(settings, isHardware(kind, base) ? {} : { admit: refusePublicNetwork })
  const registry = await openRegistry(settings, chain, {
    folder,
    onChange: () => link?.reconsider(),
    onWarning: (message, error) => log.warn({ code: codeOf(error) }, message),
  })
  const policy = registry ? withRegistry(base, registry.name) : base
  const payee = await openPayee(settings, folder, chain)
  const tee = { kind, folder: teeFolder, configuration: measuredConfiguration(settings, policy), machine }
  const claimed = registry?.name ?? { globalId: chain?.globalId ?? 0, address: '' }
  const parts = { tee, registry: claimed, payee, log, onFatal, startEngine }
  const { worker, closeTee } = await openWorker(settings, parts)
  status.describe({ bootId: worker.bootId, models: [worker.model.id], epoch: () => worker.epochId })
  const earnings = new Earnings({
    file: earningsFile(folder),
    creditLimit: BigInt(settings.creditLimit),
    unpaid: settings.unpaid,
    clock: systemClock,
    log,
    onKept: (receipt) => status.kept(receipt),
    onStanding: (standing) => status.standing(standing),
    // Whoever has the disk of a real enclave must not read off it how long each request was.
    tokenBatch: isHardware(kind, policy) ? TOKEN_BATCH : 1,
    ...(chain && { chain }),
    ...(payee?.releaseKey && { payee: { address: payee.address, key: rawPublicKey(payee.releaseKey) } }),
  })
  const collector = openCollector(settings, { chain, payee, folder, earnings, log })
  const { promise: joined, resolve } = Promise.withResolvers<void>()
  const dialling = new Link({
    url: settings.gatewayUrl,
    worker,
    earnings,
    policy,
    ...(registry && { registry: () => registry.view() }),
    offers: [offerOf(settings, worker)],
    clock: systemClock,
    log,
    onDial: () => status.joining(),
    onJoined: () => {
      status.ready()
      resolve()
    },
    onRefused: (refusal) => status.refused(refusal),
    onLost: (code) => status.lost(code),
  })
  const evidence = await serveEvidence(settings, worker, log)
  await untilReachable(settings.gatewayUrl, REACH_MS)
  link = dialling
  dialling.start()
  collector?.start()
  return {
    ready: joined.then(() => readyLine(worker, payee?.address ?? '')),
    async close(drainMs) {
      registry?.close()
      status.draining()
      const until = systemClock.monotonic() + drainMs
      await dialling.close(drainMs)
      await collector?.close(Math.max(until - systemClock.monotonic(), 0))
      await evidence?.close()
      status.stopped()
      await worker.close()
      await closeTee()
      earnings.close()
      leave()
    },
  }
}

async function serveEvidence(
  { attestationPort, attestationHost }: WorkerSettings,
  worker: Worker,
  log: Log,
): Promise<AttestationServer | undefined> {
  if (attestationPort === undefined) return undefined
  const options = {
    worker,
    host: attestationHost,
    port: attestationPort,
    monotonic: systemClock.monotonic,
    log,
  }
  const server = await serveAttestation(options)
  log.info({ url: server.url }, 'evidence is served')
  return server
}

/** Only the payee can settle: what another address earns, its owner has to. */
function openCollector(
  { settleOverheadBps, settleRiskCap, settleAfterSeconds, sweepAbove }: WorkerSettings,
  parts: {
    chain: Chain | undefined
    payee: Payee | undefined
    folder: string
    earnings: Earnings
    log: Log
  },
): Collector | undefined {
  const { chain, payee, folder, earnings, log } = parts
  if (!chain || !payee?.wallet) return undefined
  return new Collector({
    ...{ chain, wallet: payee.wallet, purse: purseOf(folder), clock: systemClock, log },
    books: () => earnings.books(),
    ...(payee.owner && { sweep: { to: payee.owner, above: BigInt(sweepAbove) } }),
    policy: {
      overheadBps: settleOverheadBps,
      riskCap: BigInt(settleRiskCap),
      maxAgeSeconds: settleAfterSeconds,
    },
  })
}

interface EnclaveParts {
  tee: Pick<TeeOptions, 'kind' | 'folder' | 'configuration'> & { machine: GuestMachine }
  registry: Claims['registry']
  payee: Payee | undefined
  log: Log
  onFatal: (error: unknown) => void
  startEngine: WorkerSurroundings['startEngine'] | undefined
}

async function openWorker(
  settings: WorkerSettings,
  { tee, registry, payee, log, onFatal, startEngine: other }: EnclaveParts,
): Promise<{ worker: Worker; closeTee: () => Promise<void> }> {
  let opened: OpenedTee | undefined
  const software = readSoftware()
  const { model, modelId, gpu, sequences, threads, contextLength, simulateGpus, collateral } = settings
  const ownEngine = () =>
    startEngine({
      modelPath: model,
      gpu,
      sequences,
      ...(modelId !== undefined && { modelId }),
      ...(threads !== undefined && { threads }),
      ...(contextLength !== undefined && { contextLength }),
      onDiagnostic: (code) => log.info({ code }, 'engine says'),
    })
  const kept = settings.translationCache * 2 ** 20
  const cache = kept > 0 ? { translationCache: new TranslationCache(kept) } : {}
  const worker = await Worker.create({
    startEngine: other ?? ownEngine,
    runTask: (request) => runTask({ ...request, context: { ...request.context, ...cache } }),
    tee: async (loaded) => {
      opened = await openTee({
        ...tee,
        role: 'worker',
        software,
        models: [claimedModel(loaded.model)],
        now: systemClock.now,
        simulateGpus,
        usesGpus: loaded.accelerator !== 'cpu',
        collateral,
      })
      return opened
    },
    clock: systemClock,
    log,
    software,
    registry,
    payoutAddress: payee?.address ?? '',
    onFatal,
  })
  const { accelerator } = worker
  if (accelerator !== 'cpu' && tee.kind !== 'tdx') {
    log.warn({ accelerator }, 'the accelerator is used but not attested: that takes a TDX guest')
  }
  return { worker, closeTee: async () => opened?.close() }
}

function offerOf(settings: WorkerSettings, worker: Worker): Offer {
  return {
    model: worker.model.id,
    prices: {
      prompt: settings.pricePrompt,
      cached: settings.priceCached,
      completion: settings.priceCompletion,
      reasoning: settings.priceReasoning,
    },
  }
}

function readyLine(worker: Worker, payoutAddress: string): ReadyLine {
  const { id, sha256, languages } = worker.model
  return {
    event: 'ready',
    role: 'worker',
    bootId: worker.bootId,
    tee: worker.tee,
    model: { id, sha256, ...(languages && { languages }) },
    slots: worker.slots,
    payoutAddress,
  }
}
