/** Puts a worker process together from its settings. */

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../attest/cli/config.ts'
import { type Policy, simulated } from '../attest/policy/index.ts'
import { refusePublicNetwork, SimulatedTee } from '../attest/simulate/index.ts'
import { type Chain, connectLocalChain, rawPublicKey, Wallet } from '../contracts/index.ts'
import { type AttestationServer, serveAttestation } from './attestation.ts'
import { systemClock } from './clock.ts'
import type { WorkerSettings } from './config.ts'
import { Earnings, type EarningsOptions } from './earnings/index.ts'
import { type Offer, Worker } from './enclave/index.ts'
import { startEngine } from './engine/index.ts'
import { Link } from './link/index.ts'
import type { Log } from './log.ts'
import { readSoftware } from './protocol/software.ts'
import { untilReachable } from './reach.ts'
import { StatusReporter, type WorkerStatus } from './status.ts'
import { runTask } from './tasks/index.ts'

/** A gateway that is started at the same moment gets this long until the worker dials it. */
const REACH_MS = 15_000

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

/**
 * Starts the engine, the enclave and the link.
 * @param tell hears how the worker stands: for a supervisor
 * @throws ConfigError, EngineError, ContractsError
 */
export async function runWorker(
  settings: WorkerSettings,
  log: Log,
  onFatal: (error: unknown) => void,
  tell: (status: WorkerStatus) => void = () => {},
): Promise<RunningWorker> {
  const status = new StatusReporter(tell, systemClock)
  const folder = join(settings.data, 'worker')
  await mkdir(join(folder, 'keys'), { recursive: true, mode: 0o700 })
  const chain = await openChain(settings)
  if (chain) refusePublicNetwork(chain.globalId)
  const payee = await openPayee(settings, folder, chain)
  const teeFolder = join(settings.data, 'tee')
  const { worker, gatewayRoot } = await openWorker(settings, { teeFolder, chain, payee, log, onFatal })
  status.describe({ bootId: worker.bootId, models: [worker.model.id], epoch: () => worker.epochId })
  const earnings = new Earnings({
    file: join(folder, 'receipts.sqlite'),
    creditLimit: BigInt(settings.creditLimit),
    unpaid: settings.unpaid,
    clock: systemClock,
    log,
    onKept: (receipt) => status.kept(receipt),
    ...(chain && { chain }),
    ...(payee && { payee }),
  })
  const { promise: joined, resolve } = Promise.withResolvers<void>()
  const link = new Link({
    url: settings.gatewayUrl,
    worker,
    earnings,
    policy: gatewayPolicy(settings.gatewayRoot ?? gatewayRoot),
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
  link.start()
  return {
    ready: joined.then(() => readyLine(worker, payee?.address ?? '')),
    async close(drainMs) {
      status.draining()
      await link.close(drainMs)
      await evidence?.close()
      status.stopped()
      await worker.close()
      earnings.close()
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

async function openChain({ chainUrl, chainTokenFile }: WorkerSettings): Promise<Chain | undefined> {
  if (chainUrl === undefined) return undefined
  if (chainTokenFile === undefined) throw new ConfigError('setting chainTokenFile: needed with chainUrl')
  let token: string
  try {
    token = (await readFile(chainTokenFile, 'utf8')).trim()
  } catch {
    throw new ConfigError(`setting chainTokenFile: ${chainTokenFile} cannot be read`)
  }
  return await connectLocalChain({ url: chainUrl, token })
}

async function openPayee(
  { payoutAddress }: WorkerSettings,
  folder: string,
  chain: Chain | undefined,
): Promise<EarningsOptions['payee']> {
  if (payoutAddress !== undefined) return { address: payoutAddress }
  if (!chain) return undefined
  const wallet = await Wallet.open(join(folder, 'keys', 'payout.key'), chain.globalId)
  return { address: wallet.address.toRawString(), key: rawPublicKey(wallet.key) }
}

interface EnclaveParts {
  teeFolder: string
  chain: Chain | undefined
  payee: EarningsOptions['payee']
  log: Log
  onFatal: (error: unknown) => void
}

async function openWorker(
  settings: WorkerSettings,
  { teeFolder, chain, payee, log, onFatal }: EnclaveParts,
): Promise<{ worker: Worker; gatewayRoot: string }> {
  let gatewayRoot = ''
  const software = readSoftware()
  const { model, modelId, gpu, sequences, threads, contextLength } = settings
  const worker = await Worker.create({
    startEngine: () =>
      startEngine({
        modelPath: model,
        gpu,
        sequences,
        ...(modelId !== undefined && { modelId }),
        ...(threads !== undefined && { threads }),
        ...(contextLength !== undefined && { contextLength }),
        onDiagnostic: (code) => log.info({ code }, 'engine says'),
      }),
    runTask,
    tee: async (info) => {
      const tee = await SimulatedTee.open(teeFolder, {
        now: systemClock.now,
        software: `chrysalis-worker ${software.version} ${software.commit}`,
        measured: [JSON.stringify({ model: info.id, sha256: info.sha256, gpu, sequences })],
      })
      gatewayRoot = tee.rootSha256
      return tee
    },
    clock: systemClock,
    log,
    software,
    registry: { globalId: chain?.globalId ?? 0, address: '' },
    payoutAddress: payee?.address ?? '',
    onFatal,
  })
  if (worker.accelerator !== 'cpu') {
    log.warn({ accelerator: worker.accelerator }, 'the accelerator is used but not attested by this version')
  }
  return { worker, gatewayRoot }
}

function gatewayPolicy(root: string): Policy {
  return { ...simulated(root), name: 'gateway', roles: ['gateway'] }
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
