import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimulatedTee } from '../../attest/index.ts'
import type { Cipher } from '../../attest/seal/index.ts'
import { Worker, type WorkerOptions } from '../../worker/enclave/index.ts'
import {
  type ScriptedEngine,
  type ScriptedOptions,
  scriptedEngine,
} from '../../worker/engine/testing/scripted.ts'
import { silentLog } from '../../worker/log.ts'
import { runTask } from '../../worker/tasks/index.ts'
import { ManualClock } from '../../worker/testing/manual-clock.ts'
import { createIdentity, type GatewayIdentity } from '../identity.ts'
import { Ledger } from '../ledger/index.ts'

/** The gateway's name, in challenges, sealed contexts and its evidence. */
export const GATEWAY_ID = 'gateway-in-process'
const SOFTWARE = { version: '0', commit: 'test' }

export interface PartsOptions {
  engine?: ScriptedOptions
  /** Replaces the seal's cipher on both sides. */
  cipher?: Cipher
  /** Times of the worker's epochs. */
  epochs?: NonNullable<WorkerOptions['epochs']>
}

/** What an `InProcess` is put together from. */
export interface Parts {
  clock: ManualClock
  tee: SimulatedTee
  engine: ScriptedEngine
  dir: string
  ledger: Ledger
  worker: Worker
  identity: GatewayIdentity
}

/** Opens a ledger in a folder of its own, a worker with its first epoch, and the gateway's identity. */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const clock = new ManualClock()
  const tee = SimulatedTee.ephemeral({ now: clock.now })
  const engine = scriptedEngine(options.engine)
  const registry = { globalId: 0, address: '' }
  const dir = await mkdtemp(join(tmpdir(), 'chrysalis-inprocess-'))
  const ledger = await Ledger.open({
    file: join(dir, 'ledger.sqlite'),
    now: clock.now,
    signVoucher: () => new Uint8Array(64),
    onFatal: (error) => {
      throw error
    },
  })
  const worker = await Worker.create({
    startEngine: async () => engine,
    runTask,
    tee,
    clock,
    log: silentLog,
    software: SOFTWARE,
    registry,
    payoutAddress: '',
    ...(options.epochs && { epochs: options.epochs }),
    ...(options.cipher && { sealInternals: { cipher: options.cipher } }),
  })
  const identity = await createIdentity({
    tee,
    software: SOFTWARE,
    registry,
    payoutAddress: GATEWAY_ID,
    now: clock.now,
    monotonic: clock.monotonic,
  })
  return { clock, tee, engine, dir, ledger, worker, identity }
}
