/** Opens the TEE that a process runs in: the TDX guest around it, or a simulated one. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { isWebAddress } from '../collateral/address.ts'
import { collateralFromPcs, INTEL_PCS } from '../collateral/index.ts'
import { collateralFolder } from '../collateral/node-cache.ts'
import { collateralFromDirectory } from '../collateral/node-directory.ts'
import type { CollateralSource } from '../collateral/source.ts'
import { measuredEvents } from '../eventlog/index.ts'
import type { Claims, Tee } from '../evidence/index.ts'
import { describeDevice, parseGpuDocument } from '../gpu/index.ts'
import {
  collectGpuEvidence,
  findGuestProblem,
  type GuestMachine,
  isTd,
  NodeFiles,
  nodeExec,
  problemError,
  TdxGuest,
} from '../guest/index.ts'
import { INTEL_ROOT } from '../policy/index.ts'
import { SimulatedGpus } from '../simulate/gpu.ts'
import { SimulatedTee } from '../simulate/tee.ts'
import { ConfigError } from './config.ts'
import type { TeeSetting } from './tee-settings.ts'

/** What is measured, and with what. */
export interface TeeOptions {
  /** Which one; see `whichTee`. */
  kind: Tee['kind']
  /** Folder of the simulated TEE. */
  folder: string
  /** What the program is; it and its version decide the simulated TD's registers of the boot. */
  role: Claims['role']
  /** As the claims will have them, since both are measured. */
  software: Claims['software']
  models: Claims['models']
  /** The settings that change what the program does, as JSON; no secrets and no paths. Measured. */
  configuration: unknown
  /** Wall clock, ms. */
  now: () => number
  /** How many simulated GPUs there are; with the simulated TEE only. */
  simulateGpus?: number
  /** The program computes on the machine's GPUs, so a TDX guest has to show evidence of them. */
  usesGpus?: boolean
  /** Base URL of a PCS or PCCS, or a folder of collateral; Intel's PCS when absent. For TDX guests. */
  collateral?: string | undefined
  /** The machine, for tests. */
  machine?: GuestMachine
}

export interface OpenedTee {
  tee: Tee
  /** What the claims have to say of the GPUs. */
  accelerators: Claims['accelerators']
  close(): Promise<void>
}

/**
 * Which TEE a setting means here: `auto` is the TDX guest around this process, or the simulated one where there is
 * none. Inside a TD whose guest driver is missing it is no reason to pretend.
 *
 * @throws GuestError ERR_NOT_TDX_GUEST with the cure, for `tdx` on another machine and for such a TD
 */
export async function whichTee(setting: TeeSetting, machine: GuestMachine = {}): Promise<Tee['kind']> {
  if (setting === 'simulated') return 'simulated-tdx'
  const files = machine.files ?? new NodeFiles(machine.root)
  const problem = await findGuestProblem(files)
  if (!problem) return 'tdx'
  if (setting === 'auto' && !(await isTd(files))) return 'simulated-tdx'
  throw problemError(problem)
}

/** Says that `auto` became a simulated TEE: nobody asked for one. */
export function warnOfSimulation(
  setting: TeeSetting,
  kind: Tee['kind'],
  log: { warn(fields: { tee: string }, message: string): void },
): void {
  if (setting !== 'auto' || kind === 'tdx') return
  log.warn({ tee: kind }, 'no TDX guest here: the enclave is simulated and proves nothing about this machine')
}

/** SHA-256 of the root of the simulated TEE in this folder, hex; made on first use. */
export async function simulatedRootOf(folder: string, now: () => number): Promise<string> {
  return (await SimulatedTee.open(folder, { now })).rootSha256
}

/** Measures what runs, and opens the TEE. @throws GuestError on a machine that is no TDX guest, ConfigError */
export async function openTee(options: TeeOptions): Promise<OpenedTee> {
  return options.kind === 'tdx' ? await openGuest(options) : await openSimulated(options)
}

async function openSimulated(options: TeeOptions): Promise<OpenedTee> {
  const { folder, now, role, software, simulateGpus = 0 } = options
  const gpus = simulateGpus > 0 ? await SimulatedGpus.open(folder, { now, count: simulateGpus }) : undefined
  const tee = await SimulatedTee.open(folder, {
    now,
    software: `chrysalis-${role} ${software.version} ${software.commit}`,
    events: measuredEvents(options, options.configuration),
    ...(gpus && { gpus }),
  })
  return { tee, accelerators: [...(gpus?.accelerators ?? [])], close: async () => {} }
}

async function openGuest(options: TeeOptions): Promise<OpenedTee> {
  const { now, usesGpus = false, machine = {} } = options
  if (options.simulateGpus) {
    throw new ConfigError('setting simulateGpus: simulated GPUs go with the simulated TEE only')
  }
  const accelerators = usesGpus ? await findAccelerators(machine) : []
  // In protected PCIe mode data crosses the switches in the clear, so they are asked as well.
  const switches = accelerators.some(({ mode }) => mode === 'ppcie')
  const tee = await TdxGuest.open({
    ...machine,
    events: measuredEvents(options, options.configuration),
    collateral: collateralOf(options.collateral, options.folder, now),
    ...(usesGpus && { gpu: { switches } }),
  })
  return { tee, accelerators, close: () => tee.close() }
}

/** The GPUs as they describe themselves, over a nonce of no further use: what every later evidence must repeat. */
async function findAccelerators({ exec = nodeExec }: GuestMachine): Promise<Claims['accelerators']> {
  const bytes = await collectGpuEvidence(new Uint8Array(randomBytes(32)), { exec })
  return parseGpuDocument(bytes)
    .devices.map(describeDevice)
    .map(({ arch, deviceId, mode }) => ({ arch, deviceId, mode }))
}

function collateralOf(place: string | undefined, folder: string, now: () => number): CollateralSource {
  if (place !== undefined && !isWebAddress(place)) return collateralFromDirectory(place, { now })
  return collateralFromPcs({
    baseUrl: place ?? INTEL_PCS,
    now,
    roots: [{ sha256: INTEL_ROOT }],
    cache: { store: collateralFolder(join(folder, 'collateral')) },
  })
}
