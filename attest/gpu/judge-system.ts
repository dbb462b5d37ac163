/** Judges the devices of one machine together: nonce, versions, modes, that they are distinct, all there, and wired. */

import { equalBytes, toHex } from '../bytes.ts'
import type { Claims } from '../evidence/claims.ts'
import type { Factors } from '../policy/factors.ts'
import type { GpuPolicy } from '../policy/policy.ts'
import { type Device, isSwitch } from './device.ts'
import { versionAllowed } from './versions.ts'

/** Every report is made for one nonce: the one in the file, and the one that the verifier expects. Sets gpu.nonce. */
export function judgeNonce(
  factors: Factors,
  devices: readonly Device[],
  nonce: Uint8Array | undefined,
): void {
  const [first] = devices
  const common = devices.every(
    ({ report, evidence }) =>
      equalBytes(report.nonce, evidence.nonce) &&
      equalBytes(report.nonce, first?.report.nonce ?? report.nonce),
  )
  if (!common)
    factors.set('gpu.nonce', 'fail', 'the reports are not all made for the nonce that the file names')
  else if (nonce === undefined)
    factors.set('gpu.nonce', 'skip', 'the verifier named no nonce: the reports may be old')
  else {
    const same = first !== undefined && equalBytes(first.report.nonce, nonce)
    const bad = 'made for another nonce: old reports, or of another enclave'
    factors.expect('gpu.nonce', same, 'every report is made for the expected nonce', bad)
  }
}

/** Sets gpu.driver and gpu.vbios. Switches have no driver of their own. */
export function judgeVersions(factors: Factors, devices: readonly Device[], policy: GpuPolicy): void {
  const gpus = devices.filter((device) => !isSwitch(device))
  judgeVersion(factors, 'driver', gpus, policy.drivers)
  judgeVersion(factors, 'vbios', devices, policy.vbios)
}

function judgeVersion(
  factors: Factors,
  what: 'driver' | 'vbios',
  devices: readonly Device[],
  allowed: readonly string[] | undefined,
): void {
  const name = `gpu.${what}` as const
  if (allowed === undefined) {
    factors.set(name, 'skip', `the policy names no ${what} versions`)
    return
  }
  const bad = devices.find(({ report }) => !versionAllowed(report.facts[what] ?? '', allowed))
  const reason = `${bad?.name}: ${what} ${bad?.report.facts[what] ?? 'of no named version'} is not allowed`
  factors.expect(name, bad === undefined, `every ${what} version is allowed`, reason)
}

/** Sets gpu.mode: one mode for all GPUs, allowed, and the one claimed. */
export function judgeMode(
  factors: Factors,
  devices: readonly Device[],
  policy: GpuPolicy,
  claims: Claims | undefined,
): void {
  const gpus = devices.filter((device) => !isSwitch(device))
  const modes = new Set(gpus.map(({ report }) => report.facts.mode?.toLowerCase()))
  const [mode] = modes
  const allowed: readonly string[] = policy.modes ?? ['spt']
  const claimed = claims?.accelerators.every((accelerator) => accelerator.mode.toLowerCase() === mode) ?? true
  if (gpus.length === 0) factors.set('gpu.mode', 'not-applicable', 'there is no GPU')
  else if (modes.size > 1) factors.set('gpu.mode', 'fail', 'the GPUs are in different modes')
  else if (mode === undefined) factors.set('gpu.mode', 'skip', 'the driver does not report the mode')
  else if (!claimed) factors.set('gpu.mode', 'fail', `the mode is ${mode}, and another one is claimed`)
  else if (mode !== 'cc')
    factors.expect('gpu.mode', allowed.includes(mode), `mode ${mode}`, `mode ${mode} is not allowed`)
  else if (allowed.includes('spt') && allowed.includes('mpt'))
    factors.set('gpu.mode', 'pass', 'mode spt or mpt')
  else factors.set('gpu.mode', 'skip', 'spt or mpt: the driver is too old to say which')
}

/** Sets gpu.distinct: no device, key or report twice. */
export function judgeDistinct(factors: Factors, devices: readonly Device[]): void {
  const distinct = [
    ({ chain }: Device) => chain.deviceId,
    ({ chain }: Device) => toHex(chain.leaf.publicKey),
    ({ chain }: Device) => toHex(chain.certificates[1]?.publicKey ?? new Uint8Array()),
    ({ report }: Device) => toHex(report.deviceNonce),
  ].every((id) => new Set(devices.map(id)).size === devices.length)
  const good = devices.length === 1 ? 'one device' : `${devices.length} distinct devices`
  factors.expect('gpu.distinct', distinct, good, 'two reports come from one device')
}

/** Sets gpu.complete: the GPUs are exactly those that the claims name. */
export function judgeComplete(
  factors: Factors,
  devices: readonly Device[],
  claims: Claims | undefined,
): void {
  if (claims === undefined) {
    factors.set('gpu.complete', 'skip', 'without claims nothing says which accelerators there are')
    return
  }
  const found = devices
    .filter((device) => !isSwitch(device))
    .map(({ chain }) => JSON.stringify([chain.arch, chain.deviceId]))
  const claimed = claims.accelerators.map(({ arch, deviceId }) => JSON.stringify([arch, deviceId]))
  const same = sameIds(found, claimed)
  const bad = `reports of ${found.length} GPUs do not answer to the ${claimed.length} that are claimed`
  factors.expect('gpu.complete', same, `a report for each of ${claimed.length} claimed accelerators`, bad)
}

/**
 * Sets gpu.switch. In protected PCIe mode data crosses the switches in the clear, so they have to be attested too:
 * every GPU names the switches at its links, every switch the GPUs at its ports, and both lists must be the evidence.
 */
export function judgeSwitches(factors: Factors, devices: readonly Device[]): void {
  const gpus = devices.filter((device) => !isSwitch(device))
  const switches = devices.filter(isSwitch)
  const shared = gpus.filter(({ report }) => report.facts.mode === 'PPCIE')
  if (shared.length === 0 && switches.length === 0) {
    factors.set('gpu.switch', 'not-applicable', 'no GPU sends data through switches in the clear')
    return
  }
  if (switches.length === 0) {
    factors.set('gpu.switch', 'skip', 'protected PCIe mode, but no switch gave a report')
    return
  }
  if (gpus.length === 0) {
    factors.set('gpu.switch', 'skip', 'no GPU of this switch gave a report')
    return
  }
  const problem = wiringProblem(gpus, switches)
  const good = `${gpus.length} GPUs and ${switches.length} switches name each other and nothing else`
  factors.expect('gpu.switch', problem === undefined, good, problem ?? '')
}

function wiringProblem(gpus: readonly Device[], switches: readonly Device[]): string | undefined {
  const idsOf = (devices: readonly Device[]): string[] => devices.map(({ chain }) => chain.deviceId)
  for (const { name, report, chain } of switches) {
    const own = report.facts.switchPdis
    if (own?.length !== 1 || own[0] !== chain.deviceId) return `${name}: the report names another switch`
    if (!sameIds(report.facts.gpuPdis, idsOf(gpus))) return `${name}: its GPUs are not those of the evidence`
  }
  for (const { name, report } of gpus) {
    if (report.facts.mode !== 'PPCIE')
      return `${name}: not in protected PCIe mode, although there are switches`
    if (!sameIds(report.facts.switchPdis, idsOf(switches))) {
      return `${name}: its switches are not those of the evidence`
    }
  }
  return undefined
}

/** Whether two lists hold the same, each as often as the other, in any order. */
function sameIds(some: readonly string[] | undefined, others: readonly string[]): boolean {
  const ids = [...(some ?? [])].sort()
  const wanted = [...others].sort()
  return ids.length === wanted.length && ids.every((id, i) => id === wanted[i])
}
