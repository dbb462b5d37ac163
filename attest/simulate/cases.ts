/** Named cases of simulated evidence, good and bad: each a complete vector with the verdict that it must get. */

import { randomBytes } from 'node:crypto'
import { fromBase64, toBase64, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { measuredEvents } from '../eventlog/index.ts'
import { createEvidence, type EvidenceBundle, type Tee } from '../evidence/bundle.ts'
import { type Claims, encodeClaims, epochId } from '../evidence/claims.ts'
import { EVENTLOG_FACTORS, type FactorName } from '../policy/factors.ts'
import { encodePolicy, type Policy } from '../policy/policy.ts'
import { simulated } from '../policy/presets.ts'
import type { CaseContext, CaseSpec, CaseTable } from './case-spec.ts'
import { BUNDLE_CASES } from './cases-bundle.ts'
import { COLLATERAL_CASES } from './cases-collateral.ts'
import { GPU_CASES } from './cases-gpu.ts'
import { QUOTE_CASES } from './cases-quote.ts'
import { TCB_CASES } from './cases-tcb.ts'
import { TD_CASES } from './cases-td.ts'
import type { CollateralSpec } from './collateral.ts'
import { digest } from './digest.ts'
import { SIMULATED_VERSIONS, SimulatedGpus, simulatedGpuPolicy } from './gpu.ts'
import { makePlatform } from './platform.ts'
import { type Forgery, SimulatedTee } from './tee.ts'

const TABLE: CaseTable = {
  ...TD_CASES,
  ...TCB_CASES,
  ...QUOTE_CASES,
  ...COLLATERAL_CASES,
  ...BUNDLE_CASES,
  ...GPU_CASES,
}

/** What a case is about and what its verdict must be. */
interface CaseInfo {
  name: string
  summary: string
  expected: 'accept' | 'refuse'
  /** The factors that fail, exactly these. */
  failedFactors: readonly FactorName[]
  /** Where nothing fails: the factors that could not be judged and that the policy does not forgive. */
  missingFactors: readonly FactorName[]
  tcbStatus: string | undefined
}

/** All cases, by name. */
export const CASES: readonly CaseInfo[] = Object.entries(TABLE).map(([name, spec]) => infoOf(name, spec))

/** One case as made. */
interface SimulatedCase extends CaseInfo {
  bundle: EvidenceBundle
  policy: Policy
  /** The nonce that the verifier chose, 32 bytes. */
  nonce: Uint8Array
  /** When the evidence is to be judged, ms. */
  now: number
  /** The files of the vector by name. */
  files: ReadonlyMap<string, string | Uint8Array>
}

export interface CaseOptions {
  /** When the evidence is to be judged, ms. */
  now: number
  /** The nonce that the verifier chose, 32 bytes; fresh when absent. */
  nonce?: Uint8Array
  /** The folder that the files will lie in, as a person would name it: for the command in case.json. */
  folder?: string
}

/** Makes a case with fresh keys. Throws ChrysalisError ERR_SIMULATED_CASE for a name that is none. */
export async function makeCase(
  name: string,
  { now, nonce = randomBytes(32), folder = '.' }: CaseOptions,
): Promise<SimulatedCase> {
  const spec = Object.hasOwn(TABLE, name) ? TABLE[name] : undefined
  if (spec === undefined) {
    throw new ChrysalisError('ERR_SIMULATED_CASE', `case ${JSON.stringify(name)}: there is none of this name`)
  }
  // To the second, so that the time of the vector can be written as a time.
  const context = contextOf(spec, { now: Math.floor(now / 1000) * 1000, nonce: new Uint8Array(nonce) })
  const info = infoOf(name, spec)
  const made = await createEvidence({
    tee: forgingTee(spec, context),
    nonce: spec.madeFor ?? context.nonce,
    claims: encodeClaims(context.claims),
  })
  const bundle = spec.bundle?.(made, context) ?? made
  const policy = { ...policyOf(spec, context), ...resolve(spec.policy, context) }
  const parts = { bundle, policy, nonce: context.nonce, now: context.now }
  return { ...info, ...parts, files: filesOf(info, { ...parts, folder }, context) }
}

function infoOf(name: string, { summary, failed = [], missing = [], tcbStatus }: CaseSpec): CaseInfo {
  const expected = failed.length + missing.length === 0 ? 'accept' : 'refuse'
  return { name, summary, expected, failedFactors: failed, missingFactors: missing, tcbStatus }
}

function resolve<T extends object>(
  part: T | ((context: CaseContext) => T) | undefined,
  context: CaseContext,
): T {
  return (typeof part === 'function' ? part(context) : (part ?? {})) as T
}

function contextOf(spec: CaseSpec, { now, nonce }: { now: number; nonce: Uint8Array }): CaseContext {
  const gpus = spec.gpus && SimulatedGpus.ephemeral({ ...spec.gpus, now: () => now })
  const good = { ...goodClaims(now), ...(gpus && { accelerators: [...gpus.accelerators] }) }
  const claims = spec.claims?.(good, { now }) ?? good
  const measured = {
    software: 'chrysalis-simulated 1',
    events: measuredEvents(claims, { case: 'simulated' }),
  }
  return {
    now,
    platform: makePlatform(now, spec.certificates?.(now)),
    other: makePlatform(now),
    claims,
    boot: spec.boot?.(measured) ?? measured,
    nonce,
    gpus,
  }
}

function goodClaims(now: number): Claims {
  const publicKey = Uint8Array.from({ length: 1216 }, (_, i) => i & 0xff)
  const hash = (text: string): string => toHex(digest('sha256', text))
  return {
    role: 'worker',
    bootId: hash('boot').slice(0, 32),
    signingKey: toBase64(digest('sha256', 'signing key')),
    epoch: {
      id: toHex(epochId(publicKey)),
      kem: 'X-Wing',
      publicKey: toBase64(publicKey),
      notBefore: now - 60_000,
      notAfter: now + 540_000,
    },
    accelerators: [],
    embedding: 'cpu',
    models: [
      {
        id: 'simulated-model',
        sha256: hash('model'),
        quantization: 'q8_0',
        contextLength: 4096,
        tokenizerSha256: hash('tokenizer'),
        templateSha256: hash('template'),
      },
    ],
    software: { version: '1.0.0', commit: 'simulated' },
    registry: { globalId: -77, address: '' },
    payoutAddress: '',
  }
}

/** The simulated policy that also asks for the event log, and knows the case's GPUs. */
function policyOf({ skip = [], gpuPolicy }: CaseSpec, { platform, gpus }: CaseContext): Policy {
  const policy = simulated(toHex(digest('sha256', platform.certificates.root)))
  const log: readonly string[] = EVENTLOG_FACTORS
  const { driver, vbios } = SIMULATED_VERSIONS
  const versions = { drivers: [driver], vbios: Object.values(vbios) }
  const roots = gpus?.roots ?? { rootSha256: NO_ROOT, rimRootSha256: NO_ROOT, serviceSha256: NO_ROOT }
  const gpu = { ...simulatedGpuPolicy(roots), ...versions, ...gpuPolicy }
  return {
    ...policy,
    ...(gpus || gpuPolicy ? { gpu } : {}),
    skip: [...policy.skip.filter((name) => !log.includes(name)), ...skip],
  }
}

const NO_ROOT = '00'.repeat(32)

function forgingTee(spec: CaseSpec, context: CaseContext): Tee {
  const { now, boot, platform, gpus } = context
  const tee = SimulatedTee.ephemeral({ now: () => now, ...boot }, platform)
  const forgery: Forgery = resolve(spec.forgery, context)
  const collateral: Partial<CollateralSpec> = resolve(spec.collateral, context)
  return {
    kind: tee.kind,
    quote: (reportData: Uint8Array) => tee.quote(reportData, forgery),
    collateral: async () => tee.issueCollateral(collateral),
    eventLog: () => tee.eventLog(),
    gpu: async (nonce: Uint8Array) => gpus?.evidence(nonce, spec.gpuForgery),
  }
}

function filesOf(
  info: CaseInfo,
  made: Pick<SimulatedCase, 'bundle' | 'policy' | 'nonce' | 'now'> & { folder: string },
  { platform }: CaseContext,
): Map<string, string | Uint8Array> {
  const { bundle, policy, nonce, now } = made
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  const time = new Date(now).toISOString().replace('.000Z', 'Z')
  const path = (file: string): string => shellWord(`${made.folder}/${file}`)
  const evidence = `--bundle ${path('bundle.json')} --policy ${path('policy.json')}`
  const description = {
    format: 'chrysalis/simulated-case/1',
    ...info,
    time,
    nonce: toHex(nonce),
    command: `npm run --silent attest -- verify ${evidence} --nonce ${toHex(nonce)} --at ${time}`,
  }
  const files = new Map<string, string | Uint8Array>([
    ['case.json', json(description)],
    ['bundle.json', json(bundle)],
    ['policy.json', encodePolicy(policy)],
    ['root.der', platform.certificates.root],
    ['quote.bin', fromBase64(bundle.quote)],
    ['claims.json', fromBase64(bundle.claims)],
  ])
  if (bundle.collateral !== undefined) files.set('collateral.json', json(bundle.collateral))
  if (bundle.eventLog !== undefined) files.set('eventlog.json', fromBase64(bundle.eventLog))
  if (bundle.gpu !== undefined) files.set('gpu.json', fromBase64(bundle.gpu))
  return files
}

/** A word that a shell passes on as it is. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
