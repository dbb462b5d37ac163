/** Judges GPU evidence: every factor named gpu.…, from the bytes of the file to the machine as a whole. */

import type { Claims } from '../evidence/claims.ts'
import { type FactorName, type Factors, failureReason, GPU_FACTORS } from '../policy/factors.ts'
import type { GpuPolicy, Policy } from '../policy/policy.ts'
import type { AnchorKind } from '../tdx/chains.ts'
import {
  type Device,
  firmwareMatches,
  isSwitch,
  type OpenedDevice,
  openDevice,
  proveDevice,
  reportSigned,
} from './device.ts'
import { type GpuDocument, parseGpuDocument } from './document.ts'
import { judgeEat } from './eat.ts'
import { GpuError } from './errors.ts'
import { judgeRims } from './judge-rim.ts'
import {
  judgeComplete,
  judgeDistinct,
  judgeMode,
  judgeNonce,
  judgeSwitches,
  judgeVersions,
} from './judge-system.ts'
import { judgeOcsp, type OcspClient } from './ocsp.ts'
import type { RimService } from './rim-service.ts'

/** What the verifier brings along. */
export interface GpuTools {
  /** RIM documents (XML) besides those that the evidence delivers. */
  rims?: readonly Uint8Array[]
  /** A way to ask for those that are missing. */
  rimService?: RimService
  /** Keys of NVIDIA's attestation service. */
  jwks?: unknown
  /** A way to ask about revocation; without it only the answers that the evidence delivers count. */
  ocsp?: OcspClient
}

export interface GpuInput {
  /** The file of evidence. */
  bytes: Uint8Array | undefined
  /** The 32 bytes that every report has to carry; undefined when nobody named one. */
  nonce: Uint8Array | undefined
  /** Undefined for files without claims. */
  claims: Claims | undefined
  /** Of the quote: hardware goes with hardware, simulation with simulation. Undefined without a quote. */
  anchor: AnchorKind | undefined
  /** Milliseconds since 1970. */
  now: number
  tools: GpuTools
}

/** What signed reports under a pinned root say, for people and logs. */
export interface GpuFindings {
  devices: readonly {
    arch: string
    chip: string
    deviceId: string
    driver?: string
    vbios?: string
    mode?: string
  }[]
  /**
   * The last moment (ms) at which every certificate, OCSP answer and token in use holds; undefined when nothing was
   * proven.
   */
  validUntil?: number
}

/**
 * Sets every factor named gpu.… Never throws on bad evidence. A factor that rests on a report whose chain or signature
 * failed is not judged.
 */
export async function judgeGpu(factors: Factors, input: GpuInput, policy: Policy): Promise<GpuFindings> {
  const { bytes } = input
  const nothing = { devices: [] }
  if (!judgePresence(factors, input, policy) || bytes === undefined) return nothing
  const good = 'the file, its reports and its certificates are well-formed'
  const opened = await factors.check('gpu.format', good, () => open(bytes))
  if (opened === undefined) return nothing
  if (policy.gpu === undefined) setRest(factors, 'fail', 'the policy pins no GPU root')
  else if (opened.devices.length > 0) return judgeReports(factors, input, policy.gpu, opened)
  else await judgeTokenAlone(factors, input, policy.gpu, opened.document)
  return nothing
}

/**
 * Evidence and claims go together: neither is worth anything without the other, and none of both is no GPU. Returns
 * whether there is evidence to judge.
 */
function judgePresence(factors: Factors, { bytes, claims }: GpuInput, policy: Policy): boolean {
  const claimed = (claims?.accelerators.length ?? 0) > 0
  if (bytes === undefined && !claimed) {
    if (policy.gpu?.required && claims?.role === 'worker') {
      factors.set('gpu.complete', 'fail', 'the policy demands an accelerator, and none is claimed')
    }
    setRest(factors, 'not-applicable', 'no accelerator is claimed')
  } else if (bytes === undefined) {
    setRest(factors, 'fail', 'an accelerator is claimed without GPU evidence')
  } else if (claims !== undefined && !claimed) {
    setRest(factors, 'fail', 'GPU evidence without a claimed accelerator')
  } else {
    return true
  }
  return false
}

interface Opened {
  document: GpuDocument
  devices: readonly OpenedDevice[]
}

function open(bytes: Uint8Array): Opened {
  const document = parseGpuDocument(bytes)
  return { document, devices: document.devices.map(openDevice) }
}

async function judgeReports(
  factors: Factors,
  input: GpuInput,
  policy: GpuPolicy,
  { document, devices: opened }: Opened,
): Promise<GpuFindings> {
  const { claims, nonce, now, tools } = input
  const good = `chains of ${opened.length} devices end in a pinned root`
  const devices = await factors.check('gpu.chain', good, () => prove(opened, policy, input))
  if (devices === undefined) return { devices: [] }
  const unsigned = await findUnsigned(devices)
  const bad = `${unsigned?.name}: the signature of the report does not verify`
  factors.expect('gpu.signature', unsigned === undefined, 'every report is signed by its device', bad)
  if (unsigned !== undefined) return { devices: [] }
  judgeNonce(factors, devices, nonce)
  judgeFirmware(factors, devices)
  judgeVersions(factors, devices, policy)
  judgeMode(factors, devices, policy, claims)
  judgeDistinct(factors, devices)
  judgeComplete(factors, devices, claims)
  judgeSwitches(factors, devices)
  const documents = [...document.rims, ...(tools.rims ?? [])]
  const { rimService: service } = tools
  const rimChains = await judgeRims(factors, { devices, documents, roots: policy.rimRoots, service, now })
  const deviceChains = devices.map(({ chain }) => chain.certificates)
  const client = tools.ocsp && { client: tools.ocsp }
  const ocspUntil = await judgeOcsp(factors, {
    deviceChains,
    rimChains,
    responses: document.ocsp,
    ...client,
    now,
  })
  const tokensUntil = await judgeTokens(factors, input, policy, document, devices)
  const opinions = [ocspUntil, tokensUntil].flatMap((end) => end ?? [])
  const ends = [...deviceChains, ...rimChains]
    .flat()
    .map(({ notAfter }) => notAfter)
    .concat(opinions)
  return { devices: devices.map(summary), validUntil: Math.min(...ends) }
}

function summary({ chain, report }: Device): GpuFindings['devices'][number] {
  const { arch, chip, deviceId } = chain
  const { driver, vbios, mode } = report.facts
  return {
    arch,
    chip,
    deviceId,
    ...(driver !== undefined && { driver }),
    ...(vbios !== undefined && { vbios }),
    ...(mode !== undefined && { mode: mode.toLowerCase() }),
  }
}

/** Proves every chain; all are of the one kind that the quote is of. */
async function prove(
  opened: readonly OpenedDevice[],
  policy: GpuPolicy,
  { anchor, now }: GpuInput,
): Promise<readonly Device[]> {
  const devices = await Promise.all(opened.map((device) => proveDevice(device, policy.roots, now)))
  const first = devices[0]?.chain.kind
  const kind = anchor === undefined ? first : anchor === 'intel' ? 'nvidia' : 'simulated'
  const other = devices.find(({ chain }) => chain.kind !== kind)
  if (other === undefined) return devices
  const problem = `its root vouches for ${other.chain.kind}, while the rest of the evidence is not of that kind`
  throw new GpuError('ERR_GPU_CHAIN', `${other.name}: ${problem}`)
}

async function findUnsigned(devices: readonly Device[]): Promise<Device | undefined> {
  const signed = await Promise.all(devices.map(reportSigned))
  return devices.find((_, i) => signed[i] !== true)
}

/**
 * Sets gpu.fwid. Reports of switches never carry a firmware id, and those of GPUs do since driver 550. A GPU that is
 * silent is a skip, which a policy has to forgive by name: a report without the field must never pass for one with it.
 * A silent switch beside GPUs that speak is not: what runs on it is the business of its reference measurements.
 */
function judgeFirmware(factors: Factors, devices: readonly Device[]): void {
  try {
    const matches = devices.map(firmwareMatches)
    const wrong = devices[matches.indexOf(false)]
    const silent = devices.find((device, i) => matches[i] === undefined && !isSwitch(device))
    if (wrong !== undefined) {
      factors.set(
        'gpu.fwid',
        'fail',
        `${wrong.name}: the key was certified for other firmware than is reported`,
      )
    } else if (silent !== undefined || !matches.includes(true)) {
      factors.set('gpu.fwid', 'skip', `${(silent ?? devices[0])?.name}: the report carries no firmware id`)
    } else {
      factors.set('gpu.fwid', 'pass', 'every key was certified for the firmware that its report names')
    }
  } catch (error) {
    factors.set('gpu.fwid', 'fail', failureReason(error))
  }
}

/** A token is an opinion about a report: without the report there is nothing to hold it against. */
async function judgeTokenAlone(
  factors: Factors,
  input: GpuInput,
  policy: GpuPolicy,
  document: GpuDocument,
): Promise<void> {
  await judgeTokens(factors, input, policy, document, undefined)
  setRest(factors, 'skip', 'there is a token alone, and no report')
}

async function judgeTokens(
  factors: Factors,
  { nonce, now, tools }: GpuInput,
  policy: GpuPolicy,
  { eats }: GpuDocument,
  devices: readonly Device[] | undefined,
): Promise<number | undefined> {
  const expected = devices?.map(({ chain, report }) => ({
    arch: chain.arch,
    ueid: BigInt(`0x${chain.leaf.serial}`).toString(),
    driver: report.facts.driver,
    vbios: report.facts.vbios,
  }))
  return judgeEat(factors, { eats, jwks: tools.jwks, nonce, devices: expected, now }, policy)
}

/** Sets every GPU factor that has no result yet. */
function setRest(factors: Factors, result: 'fail' | 'skip' | 'not-applicable', reason: string): void {
  for (const name of GPU_FACTORS as readonly FactorName[]) factors.set(name, result, reason)
}
