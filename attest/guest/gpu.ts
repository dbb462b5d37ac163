/**
 * Evidence of the GPUs of this TD, through NVIDIA's attestation tool: `nvattest collect-evidence` (NVIDIA attestation
 * SDK 1.0 and later) asks the driver for a signed report of each device over our nonce and prints it as JSON. Nothing is
 * judged here, and nothing leaves the machine.
 */

import { z } from 'zod'
import { fromBase64, toHex } from '../bytes.ts'
import { GPU_EVIDENCE_FORMAT } from '../gpu/document.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { base64Within } from '../schema.ts'
import { errnoOf, GuestError } from './errors.ts'
import type { Exec } from './system.ts'

/** As the nvattest package installs it. */
export const NVATTEST = '/usr/bin/nvattest'

/** A wedged driver must not hold up the worker for ever; a report of eight GPUs takes some seconds. */
const TIMEOUT_MS = 60_000
const MAX_OUTPUT = 8 * 1024 * 1024
const MAX_DEVICES = 64

/** One device, as the tool prints it. Newer versions add members, which we leave out. */
const deviceSchema = z.object({
  arch: z.string().regex(/^[A-Z0-9_]{1,32}$/, 'not the name of an architecture'),
  certificate: base64Within(64 * 1024).min(4),
  evidence: base64Within(256 * 1024).min(4),
  nonce: z.string().regex(/^[0-9a-fA-F]{64}$/, 'not 32 bytes of hex'),
})

const outputSchema = z.object({
  result_code: z.int(),
  result_message: z.string().optional(),
  evidences: z.array(deviceSchema).max(MAX_DEVICES).nullish(),
})

export interface GpuEvidenceOptions {
  exec: Exec
  /** Path of the tool; NVATTEST when absent. */
  nvattest?: string | undefined
  /** Whether NVSwitches are to be asked as well (machines with several GPUs in protected PCIe mode). */
  switches?: boolean | undefined
}

type Device = z.infer<typeof deviceSchema>

/**
 * Collects the evidence of every GPU over a nonce of 32 bytes, as bytes of `chrysalis/gpu-evidence/1` (RFC 8785).
 *
 * @throws GuestError ERR_GUEST_GPU when the tool is missing, fails, finds no GPU or answers another nonce
 */
export async function collectGpuEvidence(
  nonce: Uint8Array,
  options: GpuEvidenceOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (nonce.length !== 32) throw gpuError(`the nonce has ${nonce.length} bytes instead of 32`)
  const devices = await collect('gpu', nonce, options)
  if (options.switches === true) devices.push(...(await collect('nvswitch', nonce, options)))
  return canonicalBytes({ format: GPU_EVIDENCE_FORMAT, devices })
}

async function collect(
  kind: 'gpu' | 'nvswitch',
  nonce: Uint8Array,
  { exec, nvattest = NVATTEST }: GpuEvidenceOptions,
): Promise<Device[]> {
  const args = ['collect-evidence', '--device', kind, '--nonce', toHex(nonce), '--format', 'json']
  const { status, stdout, stderr } = await run(exec, nvattest, args)
  const output = parseNvattest(stdout)
  if (output === undefined || status !== 0) {
    // The last line says what went wrong; the tool writes no secret.
    const reason = output?.result_message ?? stderr.trim().split('\n').at(-1)?.slice(0, 300)
    throw gpuError(
      `${nvattest} ended with ${status}: ${reason || 'it did not print the JSON that is expected'}. Run \`${nvattest} ${args.slice(0, 3).join(' ')} --format json\` to see why`,
    )
  }
  if (output.result_code !== 0)
    throw gpuError(`${nvattest}: result ${output.result_code} ${output.result_message ?? ''}`.trimEnd())
  const devices = output.evidences ?? []
  if (devices.length === 0) throw gpuError(`${nvattest} found no ${kind}. Pass the device through to the TD`)
  return devices.map((device) => checkDevice(device, toHex(nonce)))
}

async function run(exec: Exec, nvattest: string, args: readonly string[]): ReturnType<Exec> {
  try {
    return await exec(nvattest, args, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_OUTPUT })
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT')
      throw gpuError(
        `${nvattest} is not installed. Install NVIDIA's attestation tool (package nvattest) in the TD`,
      )
    if (code === 'ETIMEDOUT')
      throw gpuError(`${nvattest} gave no answer in ${TIMEOUT_MS / 1000} s. See \`nvidia-smi\` and \`dmesg\``)
    throw gpuError(`${nvattest} cannot be run: ${code ?? (error as Error).message}`)
  }
}

/** Reads what the tool prints; undefined when it is not that. */
export function parseNvattest(stdout: Uint8Array): z.infer<typeof outputSchema> | undefined {
  try {
    return outputSchema.safeParse(parseStrictJson(stdout)).data
  } catch {
    return undefined
  }
}

function checkDevice({ arch, certificate, evidence, nonce }: Device, expected: string): Device {
  if (nonce.toLowerCase() !== expected)
    throw gpuError(`a device of ${arch} answered the nonce ${nonce}: the tool gave old evidence`)
  try {
    fromBase64(certificate)
    fromBase64(evidence)
  } catch {
    throw gpuError(`a device of ${arch} has evidence that is not canonical base64`)
  }
  return { arch, certificate, evidence, nonce: expected }
}

function gpuError(message: string): GuestError {
  return new GuestError('ERR_GUEST_GPU', `GPU evidence: ${message}`)
}
