/** The checks before a worker joins: what is wrong with this machine, and how to cure it. */

import { ChrysalisError } from '../errors.ts'
import { type Check, fail, type PreflightMachine } from './checks.ts'
import { checkConfidentialMode, checkDevtools, checkDriver, checkNvattest, checkReady } from './checks-gpu.ts'
import { checkDisk, checkMemory, checkNode, checkTime } from './checks-system.ts'
import { checkCcel, checkGuest, checkKernel, checkLock, checkRegisters, checkReports } from './checks-tdx.ts'
import { errnoOf } from './errors.ts'
import { NodeFiles } from './files.ts'
import { nodeExec } from './system.ts'
import { type GuestMachine, RUNTIME_FOLDER } from './tdx-guest.ts'

export type { Check } from './checks.ts'

export interface PreflightOptions extends Omit<GuestMachine, 'sleep' | 'pid'> {
  /** Whether the worker will use GPUs, which then must be confidential. */
  gpu: boolean
  /** Path of NVIDIA's attestation tool. */
  nvattest?: string
  /** Folder of models and ledgers, and the bytes that it will need. */
  disk: { folder: string; bytes: number }
  /** Memory that the worker needs, bytes. */
  memoryBytes: number
  /** process.version when absent. */
  nodeVersion?: string
}

/** Makes every check, the one after the other; none throws. `fail` means that joining cannot work. */
export async function preflight(options: PreflightOptions): Promise<Check[]> {
  const machine: PreflightMachine = {
    files: options.files ?? new NodeFiles(options.root),
    exec: options.exec ?? nodeExec,
    runtimeFolder: options.runtimeFolder ?? RUNTIME_FOLDER,
  }
  const checks: [string, () => Check | Promise<Check>][] = [
    ['tdx-guest', () => checkGuest(machine)],
    ['kernel', () => checkKernel(machine)],
    ['configfs-tsm', () => checkReports(machine)],
    ['registers', () => checkRegisters(machine)],
    ['event-log', () => checkCcel(machine)],
    ['quotes-lock', () => checkLock(machine)],
    ...(options.gpu ? gpuChecks(machine, options.nvattest) : []),
    ['node', () => checkNode(options.nodeVersion ?? process.version)],
    ['memory', () => checkMemory(machine, options.memoryBytes)],
    ['disk', () => checkDisk(machine, options.disk.folder, options.disk.bytes)],
    ['time', () => checkTime(machine)],
  ]
  const results: Check[] = []
  for (const [name, check] of checks) {
    try {
      results.push(await check())
    } catch (error) {
      results.push(unexpected(name, error))
    }
  }
  return results
}

function gpuChecks(machine: PreflightMachine, nvattest?: string): [string, () => Promise<Check>][] {
  return [
    ['gpu-driver', () => checkDriver(machine)],
    ['gpu-cc-mode', () => checkConfidentialMode(machine)],
    ['gpu-devtools', () => checkDevtools(machine)],
    ['gpu-ready', () => checkReady(machine)],
    ['gpu-attestation', () => checkNvattest(machine, nvattest)],
  ]
}

/** A check that could not be made has failed; our own errors name their cure already. */
function unexpected(name: string, error: unknown): Check {
  if (error instanceof ChrysalisError) return fail(name, error.message, 'Do what this message says')
  const reason = errnoOf(error) ?? (error instanceof Error ? error.message : String(error))
  return fail(name, `the check could not be made: ${reason}`, 'Run this as root inside the TD')
}
