/** What a policy demands, in words. */

import type { MeasurementSet, Policy } from '../policy/policy.ts'
import { ROOTS } from './chain.ts'
import { count } from './text.ts'

/** Pairs of a subject and what the policy says about it. */
export function policyInWords(policy: Policy): [string, string][] {
  const { gpu } = policy
  return [
    ['roots', rootsInWords(policy.roots)],
    ['roles', policy.roles.join(' or ')],
    ['freshness', policy.freshness.map((kind) => FRESHNESS[kind]).join(', or ')],
    ['TCB status', statusesInWords(policy)],
    ['evaluation number', floorInWords(policy.evaluationFloor)],
    ['TDX modules', policy.modules ? `one of ${policy.modules.length}` : 'any that Intel lists'],
    [
      'TEE_TCB_SVN',
      policy.minimumTeeTcbSvn ? `at least ${policy.minimumTeeTcbSvn}, byte by byte` : 'any that Intel lists',
    ],
    ['measurements', measurementsInWords(policy)],
    ['event log', `has to account for RTMR ${(policy.eventLog?.registers ?? [0, 1, 2, 3]).join(', ')}`],
    ['models', modelsInWords(policy)],
    ['configurations', configurationsInWords(policy)],
    ['software', policy.software ? policy.software.join(' or ') : 'not pinned'],
    [
      'registry',
      policy.registry ? `${policy.registry.address} on ${policy.registry.globalId}` : 'not pinned',
    ],
    ['refused platforms', count(policy.revokedPlatforms?.length ?? 0, 'platform')],
    ['GPU', gpu ? gpuInWords(gpu) : 'evidence of one is refused: no root is pinned'],
    ['may be missing', policy.skip.length === 0 ? 'nothing' : policy.skip.join(', ')],
  ]
}

const FRESHNESS: Readonly<Record<Policy['freshness'][number], string>> = {
  'caller-nonce': 'made for a nonce that the verifier chose',
  beacon: 'made after a block that the verifier knows',
  none: 'of any age',
}

function rootsInWords(roots: readonly { sha256: string; kind: string }[]): string {
  const named = roots.map(({ sha256, kind }) =>
    kind === 'simulated'
      ? `a SIMULATED root, which proves nothing about a machine (${sha256})`
      : `${ROOTS[sha256] ?? `${sha256}, NOT the root of ${kind} that this program knows,`} as ${kind}`,
  )
  return named.join(' or ')
}

function statusesInWords({ tcb }: Policy): string {
  if (tcb === undefined || tcb.statuses.length === 0) return 'UpToDate, nothing else'
  const advisories = tcb.advisories.length === 0 ? 'no advisory' : tcb.advisories.join(', ')
  return `UpToDate or ${tcb.statuses.join(' or ')}, with ${advisories}`
}

function floorInWords(floor: Policy['evaluationFloor']): string {
  if (floor === undefined) return 'any'
  return floor === 'dated' ? 'at least the one in force at the time of judging' : `at least ${floor}`
}

function measurementsInWords({ measurements }: Policy): string {
  if (measurements === undefined) return 'not pinned'
  if (measurements.length === 0) return 'none is allowed'
  const names = measurements.map(
    ({ name, mrTd, rtmr }) => `${name ?? `MRTD ${mrTd.slice(0, 16)}…`}${openInWords(rtmr)}`,
  )
  return `one of ${count(names.length, 'set')}: ${names.join(', ')}`
}

/** Registers that a set does not compare: whatever was put there runs. */
function openInWords(rtmr: MeasurementSet['rtmr']): string {
  const open = rtmr.flatMap((register, i) => (register === null ? [`RTMR${i}`] : []))
  return open.length === 0 ? '' : ` (leaves open ${open.join(', ')})`
}

function configurationsInWords({ configurations, measurements = [] }: Policy): string {
  if (configurations !== undefined) return `one of ${configurations.length}`
  const pinned = measurements.length > 0 && measurements.every(({ rtmr }) => rtmr[3] !== null)
  return pinned ? 'pinned by RTMR3' : 'not pinned'
}

function modelsInWords({ models }: Policy): string {
  if (models === undefined) return 'not pinned'
  const names = Object.entries(models).map(([id, digests]) => `${id} (${count(digests.length, 'digest')})`)
  return names.length === 0 ? 'none is allowed' : names.join(', ')
}

function gpuInWords(gpu: NonNullable<Policy['gpu']>): string {
  const versions = (list: readonly string[] | undefined): string => list?.join(' or ') ?? 'any'
  return [
    gpu.required ? 'demanded of a worker' : 'judged where there is one',
    `devices under ${rootsInWords(gpu.roots)}`,
    `reference measurements under ${rootsInWords(gpu.rimRoots)}`,
    `driver ${versions(gpu.drivers)}`,
    `VBIOS ${versions(gpu.vbios)}`,
    `mode ${(gpu.modes ?? ['spt']).join(' or ')}`,
    eatInWords(gpu.eat),
  ].join('; ')
}

function eatInWords(eat: NonNullable<Policy['gpu']>['eat']): string {
  if (eat === undefined) return 'tokens of a service are not asked for'
  return `tokens of ${eat.issuer} ${eat.required ? 'demanded' : 'asked for'}`
}
