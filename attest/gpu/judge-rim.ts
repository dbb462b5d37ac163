/** Judges reference measurements: which manifests a device needs, whether they are proven, and how they compare. */

import { type Factors, failureReason } from '../policy/factors.ts'
import type { Certificate } from '../x509/index.ts'
import type { GpuAnchor, GpuRoot } from './chain.ts'
import { type Device, isSwitch } from './device.ts'
import { checkRim, compareRim, overlap, parseRim, type Rim, rimIds } from './rim.ts'
import { type RimService, RimUnreachable } from './rim-service.ts'

interface RimInput {
  devices: readonly Device[]
  /** XML documents, from the evidence and from the verifier. */
  documents: readonly Uint8Array[]
  roots: readonly GpuRoot[]
  /** Asked for the manifests that the documents lack. */
  service?: RimService | undefined
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Sets gpu.rim-signature, gpu.rim and gpu.devtools.
 *
 * A report has no field that tells development tools: NVIDIA calls a device closed (`dbgstat`, `secboot`) exactly when
 * all of its measurements are those of a closed one, and so does this.
 *
 * @returns the signer chains of all manifests in use, signer first, root last
 */
export async function judgeRims(
  factors: Factors,
  input: RimInput,
): Promise<readonly (readonly Certificate[])[]> {
  const proven = await proveRims(input).catch((error: unknown) => {
    factors.set('gpu.rim-signature', 'fail', failureReason(error))
    return undefined
  })
  if (proven === undefined) {
    skipDevtools(factors)
    return []
  }
  const { problems, missing, compared } = compareAll(input.devices, proven)
  const lack = `no reference measurements for ${missing.join(', ')}: bring the RIM documents of driver and VBIOS`
  if (proven.size === 0) factors.set('gpu.rim-signature', 'skip', lack)
  else
    factors.set(
      'gpu.rim-signature',
      'pass',
      'the reference measurements in use are signed under a pinned root',
    )
  if (problems.length > 0) {
    const reason = problems.join('; ')
    factors.set('gpu.rim', 'fail', reason)
    factors.set('gpu.devtools', 'fail', 'the measurements are not those of a closed device')
  } else if (missing.length > 0) {
    factors.set('gpu.rim', 'skip', lack)
    skipDevtools(factors)
  } else {
    factors.set('gpu.rim', 'pass', `all ${compared} reference values are met`)
    factors.set('gpu.devtools', 'pass', 'all measurements are those of a closed device')
  }
  return [...proven.keys()].map(({ chain }) => chain)
}

function skipDevtools(factors: Factors): void {
  const reason = 'reports have no field for it: only complete reference measurements tell a closed device'
  factors.set('gpu.devtools', 'skip', reason)
}

/** Every document must be well-formed; of those that concern a device, every version must have a proven one. */
async function proveRims(input: RimInput): Promise<Map<Rim, GpuAnchor>> {
  const { devices, documents, roots, now } = input
  const rims: Rim[] = []
  for (const document of documents) rims.push(await parseRim(document))
  rims.push(...(await fetchMissing(input, rims)))
  const proven = new Map<Rim, GpuAnchor>()
  const failures = new Map<Rim, unknown>()
  for (const device of devices) {
    for (const version of versionsOf(device)) {
      const candidates = rims.filter((rim) => concerns(rim, device, version))
      for (const rim of candidates) {
        if (proven.has(rim) || failures.has(rim)) continue
        await checkRim(rim, roots, now).then(
          (kind) => proven.set(rim, kind),
          (error: unknown) => failures.set(rim, error),
        )
      }
      // An expired one beside a current one of the same version does no harm.
      const [first] = candidates
      if (first !== undefined && !candidates.some((rim) => proven.has(rim))) throw failures.get(first)
    }
  }
  return proven
}

/** What no document answers for is asked of the service, each manifest once; what it does not have stays missing. */
async function fetchMissing({ devices, service }: RimInput, rims: readonly Rim[]): Promise<Rim[]> {
  if (service === undefined) return []
  const wanted = new Set<string>()
  for (const device of devices) {
    const ids = rimIds(device.report.facts, device.chain.arch, device.chain.chip)
    for (const [i, version] of versionsOf(device).entries()) {
      const id = ids[i]
      if (id !== undefined && !rims.some((rim) => concerns(rim, device, version))) wanted.add(id)
    }
  }
  const answers = await Promise.all([...wanted].map((id) => service.rim(id).catch(absent)))
  return Promise.all(answers.filter((bytes) => bytes !== undefined).map(parseRim))
}

function absent(error: unknown): undefined {
  if (!(error instanceof RimUnreachable)) throw error
}

interface Comparison {
  problems: string[]
  missing: string[]
  compared: number
}

function compareAll(devices: readonly Device[], proven: ReadonlyMap<Rim, GpuAnchor>): Comparison {
  const all: Comparison = { problems: [], missing: [], compared: 0 }
  for (const device of devices) {
    const chosen: Rim[] = []
    for (const version of versionsOf(device)) {
      const rims = [...proven].filter(
        ([rim, kind]) => kind === device.chain.kind && concerns(rim, device, version),
      )
      // One version may have several manifests, one for each board: nothing in them names it, so one has to fit.
      const matches = rims.map(([rim]) => ({ rim, ...compareRim(rim, device.report) }))
      const best = matches.sort((a, b) => a.mismatched.length - b.mismatched.length)[0]
      if (best === undefined) {
        all.missing.push(`${device.name} ${version}`)
        continue
      }
      chosen.push(best.rim)
      all.compared += best.compared
      if (best.mismatched.length === 0) continue
      const score = `${best.matched} of ${best.compared} values`
      all.problems.push(`${device.name}: ${score} of ${version}, not index ${best.mismatched.join(', ')}`)
    }
    const [first, second] = chosen
    if (first !== undefined && second !== undefined && overlap(first, second)) {
      all.problems.push(`${device.name}: driver and VBIOS measurements claim the same index`)
    }
  }
  return all
}

/** Driver and VBIOS of a GPU, BIOS of a switch; what a report does not name counts as missing. */
function versionsOf(device: Device): string[] {
  const { driver = 'of an unnamed driver', vbios = 'of an unnamed VBIOS' } = device.report.facts
  return isSwitch(device) ? [vbios] : [driver.toLowerCase(), vbios]
}

function concerns(rim: Rim, device: Device, version: string): boolean {
  return rim.chip === device.chain.chip && rim.version === version
}
