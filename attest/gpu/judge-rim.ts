/** Judges reference measurements: which manifests a device needs, whether they are proven, and how they compare. */

import type { Factors } from '../policy/factors.ts'
import type { Certificate } from '../x509/index.ts'
import type { GpuAnchor, GpuRoot } from './chain.ts'
import { type Device, isSwitch } from './device.ts'
import { checkRim, compareRim, overlap, parseRim, type Rim } from './rim.ts'

export interface RimInput {
  devices: readonly Device[]
  /** XML documents, from the evidence and from the verifier. */
  documents: readonly Uint8Array[]
  roots: readonly GpuRoot[]
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
  if (input.documents.length === 0) {
    const none = 'there are no reference measurements: deliver or bring the RIM documents of driver and VBIOS'
    for (const name of ['gpu.rim-signature', 'gpu.rim'] as const) factors.set(name, 'skip', none)
    skipDevtools(factors)
    return []
  }
  const good = 'the reference measurements in use are signed under a pinned root'
  const proven = await factors.check('gpu.rim-signature', good, () => proveRims(input))
  if (proven === undefined) {
    skipDevtools(factors)
    return []
  }
  const { problems, missing, compared } = compareAll(input.devices, proven)
  if (problems.length > 0) {
    const reason = problems.join('; ')
    factors.set('gpu.rim', 'fail', reason)
    factors.set('gpu.devtools', 'fail', 'the measurements are not those of a closed device')
  } else if (missing.length > 0) {
    factors.set('gpu.rim', 'skip', `no reference measurements for ${missing.join(', ')}`)
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
async function proveRims({ devices, documents, roots, now }: RimInput): Promise<Map<Rim, GpuAnchor>> {
  const rims: Rim[] = []
  for (const document of documents) rims.push(await parseRim(document))
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
