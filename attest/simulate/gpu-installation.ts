/** The roots of one installation's simulated GPUs: made once, kept in one 0600 file beside the simulated TEE's. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import type { GpuPolicy } from '../policy/policy.ts'
import { digest } from './digest.ts'
import { privateFolder, publishOnce, readOrMake } from './files.ts'
import type { GpuCa } from './gpu-certificates.ts'
import { makeGpuRoot } from './gpu-device.ts'
import { makeServiceCa, SIMULATED_EAT_ISSUER } from './gpu-eat.ts'
import { makeRimRoot } from './gpu-rim.ts'
import { decodeKeys, encodeKeys } from './key-file.ts'

const FORMAT = 'chrysalis/simulated-gpus/1'
const KEY_FILE = 'gpu.json'
const ROLES = ['device', 'rim', 'service'] as const
type Role = (typeof ROLES)[number]

/** The public halves, for verifiers that must not read the keys. */
const PUBLIC_FILES: Record<Role, string> = {
  device: 'gpu-root.der',
  rim: 'gpu-rim-root.der',
  service: 'gpu-service.der',
}

/** Roots of devices and of reference measurements, and the CA of the attestation service: key and certificate each. */
export type GpuInstallation = Record<Role, GpuCa>

/** SHA-256 (hex) of an installation's roots: what a policy pins. */
export interface SimulatedGpuRoots {
  rootSha256: string
  rimRootSha256: string
  /** The intermediate CA that certifies the simulated attestation service's keys. */
  serviceSha256: string
}

/** Makes roots with fresh keys. */
export function makeGpuInstallation(now: number): GpuInstallation {
  return { device: makeGpuRoot(now), rim: makeRimRoot(now), service: makeServiceCa(now) }
}

/** Reads the roots of this folder, making them on first use. Throws ERR_SIMULATED_TEE_FILE. */
export async function openGpuInstallation(dir: string, now: number): Promise<GpuInstallation> {
  await privateFolder(dir)
  const installation = decode(await readOrMake(join(dir, KEY_FILE), () => encode(makeGpuInstallation(now))))
  // Written after the keys: a crash between is healed at the next start.
  for (const role of ROLES) await publishOnce(join(dir, PUBLIC_FILES[role]), installation[role].certificate)
  return installation
}

/**
 * Digests of the roots in this folder, from the public files. Throws ERR_SIMULATED_ROOT_MISSING where no simulated GPU
 * was opened yet.
 */
export async function simulatedGpuRoots(dir: string): Promise<SimulatedGpuRoots> {
  try {
    const [device, rim, service] = await Promise.all(
      ROLES.map(async (role) => certificateDigest(await readFile(join(dir, PUBLIC_FILES[role])))),
    )
    return rootsOf(device, rim, service)
  } catch {
    throw new ChrysalisError(
      'ERR_SIMULATED_ROOT_MISSING',
      `there are no simulated GPUs in ${dir}: start the worker of this installation with them once, or name its folder`,
    )
  }
}

/** The same of an installation in memory. */
export function digestsOf({ device, rim, service }: GpuInstallation): SimulatedGpuRoots {
  const [first, second, third] = [device, rim, service].map(({ certificate }) =>
    certificateDigest(certificate),
  )
  return rootsOf(first, second, third)
}

function rootsOf(device = '', rim = '', service = ''): SimulatedGpuRoots {
  return { rootSha256: device, rimRootSha256: rim, serviceSha256: service }
}

/** The part of a policy that accepts these simulated GPUs, in any mode; spread it to narrow it. */
export function simulatedGpuPolicy(roots: SimulatedGpuRoots): GpuPolicy {
  return {
    required: false,
    roots: [{ sha256: roots.rootSha256, kind: 'simulated' }],
    rimRoots: [{ sha256: roots.rimRootSha256, kind: 'simulated' }],
    modes: ['spt', 'mpt', 'ppcie'],
    eat: { issuer: SIMULATED_EAT_ISSUER, intermediates: [roots.serviceSha256] },
  }
}

function certificateDigest(bytes: Uint8Array): string {
  return toHex(digest('sha256', bytes))
}

function encode(installation: GpuInstallation): string {
  return encodeKeys(FORMAT, ROLES, (role) => installation[role])
}

function decode(text: string): GpuInstallation {
  const cure = 'delete gpu.json and the gpu-*.der files beside it to make new roots'
  return decodeKeys(text, FORMAT, ROLES, `the file of the simulated GPUs cannot be read: ${cure}`)
}
