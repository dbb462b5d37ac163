/** Intel's TCB info (TDX, version 3) and QE identity (version 2): parsing and the choice of TCB levels. */

import { z } from 'zod'
import { equalBytes, fromHex, isZero } from '../bytes.ts'
import { firstIssue } from '../schema.ts'
import type { PckPlatform } from './pck.ts'
import { type QeReport, QuoteError, type TdBody } from './quote.ts'

export const TCB_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'TDRelaunchAdvised',
  'TDRelaunchAdvisedConfigurationNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const
export type TcbStatus = (typeof TCB_STATUSES)[number]

/** Modules and enclaves have no configuration of their own, so Intel defines three statuses for them. */
const ISV_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'] as const
export type IsvStatus = (typeof ISV_STATUSES)[number]

const svn = z.int().min(0).max(255)
const date = z.iso.datetime().transform((text) => Date.parse(text))
const bytesOf = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`))
    .transform((text) => fromHex(text.toLowerCase()))
const level = { tcbDate: date, advisoryIDs: z.array(z.string().max(64)).max(256).default([]) }
// The first level that a platform reaches is its level, so their order decides: newest first, as Intel's own verifier
// sorts them, whatever the order in the document.
const isvLevels = z
  .array(
    z.object({
      tcb: z.object({ isvsvn: z.int().min(0).max(65535) }),
      tcbStatus: z.enum(ISV_STATUSES),
      ...level,
    }),
  )
  .max(256)
  .transform((levels) => levels.toSorted((a, b) => b.tcb.isvsvn - a.tcb.isvsvn))
const components = z.array(z.object({ svn })).length(16)
const moduleFields = { mrsigner: bytesOf(48), attributes: bytesOf(8), attributesMask: bytesOf(8) }
const documentFields = { issueDate: date, nextUpdate: date, tcbEvaluationDataNumber: z.int().min(0) }

// Unknown keys are let through: the text is signed as a whole, and Intel may add fields that judge nothing here.
const tcbInfoSchema = z.object({
  id: z.literal('TDX'),
  version: z.literal(3),
  ...documentFields,
  fmspc: bytesOf(6),
  pceId: bytesOf(2),
  tcbType: z.literal(0),
  tdxModule: z.object(moduleFields),
  tdxModuleIdentities: z
    .array(z.object({ id: z.string().max(16), ...moduleFields, tcbLevels: isvLevels }))
    .max(64)
    .default([]),
  tcbLevels: z
    .array(
      z.object({
        tcb: z.object({
          sgxtcbcomponents: components,
          pcesvn: z.int().min(0).max(65535),
          tdxtcbcomponents: components,
        }),
        // The two relaunch statuses are the verifier's own conclusion and never written in a document.
        tcbStatus: z
          .enum(TCB_STATUSES)
          .exclude(['TDRelaunchAdvised', 'TDRelaunchAdvisedConfigurationNeeded']),
        ...level,
      }),
    )
    .max(256)
    .transform((levels) => levels.toSorted((a, b) => compare(versions(b.tcb), versions(a.tcb)))),
})

type Components = z.infer<typeof components>

/** A platform level's versions in the order in which Intel compares them: SGX, TDX, PCESVN. */
function versions(tcb: {
  sgxtcbcomponents: Components
  tdxtcbcomponents: Components
  pcesvn: number
}): number[] {
  return [...tcb.sgxtcbcomponents, ...tcb.tdxtcbcomponents]
    .map((component) => component.svn)
    .concat(tcb.pcesvn)
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0)
}

const qeIdentitySchema = z.object({
  id: z.literal('TD_QE'),
  version: z.literal(2),
  ...documentFields,
  miscselect: bytesOf(4),
  miscselectMask: bytesOf(4),
  attributes: bytesOf(16),
  attributesMask: bytesOf(16),
  mrsigner: bytesOf(32),
  isvprodid: z.int().min(0).max(65535),
  tcbLevels: isvLevels,
})

export type TcbInfo = z.infer<typeof tcbInfoSchema>
export type Identity = z.infer<typeof qeIdentitySchema>

/** Parses the text of a TCB info document. Throws QuoteError. */
export function parseTcbInfo(text: string): TcbInfo {
  return parseDocument(tcbInfoSchema, text, 'TCB info')
}

/** Parses the text of a QE identity document. Throws QuoteError. */
export function parseQeIdentity(text: string): Identity {
  return parseDocument(qeIdentitySchema, text, 'QE identity')
}

function parseDocument<T>(schema: z.ZodType<T>, text: string, name: string): T {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new QuoteError(`${name}: not JSON`)
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new QuoteError(`${name}: ${firstIssue(parsed.error)}`)
}

export type PlatformLevel = TcbInfo['tcbLevels'][number]
export type IsvLevel = Identity['tcbLevels'][number]
type ModuleIdentity = TcbInfo['tdxModuleIdentities'][number]

export interface Level {
  status: TcbStatus
  /** Of the platform's, the module's and the quoting enclave's levels together, sorted. */
  advisories: readonly string[]
}

/** The TDX module's identity block by major version; undefined for TDX 1.0, which has none. Throws QuoteError. */
export function moduleIdentity(info: TcbInfo, teeTcbSvn: Uint8Array): ModuleIdentity | undefined {
  const major = teeTcbSvn[1] ?? 0
  if (major === 0) return undefined
  const id = `TDX_${major.toString(16).padStart(2, '0').toUpperCase()}`
  const found = info.tdxModuleIdentities.find((entry) => entry.id.toUpperCase() === id)
  if (found === undefined) throw new QuoteError(`TCB info: no TDX module identity ${id}`)
  return found
}

/** The level of the TDX module that started this TD; undefined for TDX 1.0. Throws QuoteError. */
export function moduleLevel(info: TcbInfo, teeTcbSvn: Uint8Array): IsvLevel | undefined {
  const identity = moduleIdentity(info, teeTcbSvn)
  return identity && isvLevel(identity.tcbLevels, teeTcbSvn[0] ?? 0, 'TDX module')
}

/** MRSIGNERSEAM must be the signer that the TCB info names. Throws QuoteError (Intel's step 3.9). */
export function checkModuleSigner(info: TcbInfo, body: TdBody): void {
  const { mrsigner } = moduleIdentity(info, body.teeTcbSvn) ?? info.tdxModule
  if (!equalBytes(body.mrSignerSeam, mrsigner)) {
    throw new QuoteError('TDX module: MRSIGNERSEAM is not the expected')
  }
}

/** SEAMATTRIBUTES must be those of the TCB info, and zero: no mask excuses them. Throws QuoteError (step 3.9). */
export function checkModuleAttributes(info: TcbInfo, body: TdBody): void {
  const { attributes } = moduleIdentity(info, body.teeTcbSvn) ?? info.tdxModule
  if (!isZero(body.seamAttributes) || !equalBytes(body.seamAttributes, attributes)) {
    throw new QuoteError('TDX module: SEAMATTRIBUTES are not the expected')
  }
}

/** The quoting enclave must be the one that the identity describes. Throws QuoteError (Intel's step 3.7). */
export function checkQe(identity: Identity, report: QeReport): void {
  const { miscselect, miscselectMask, attributes, attributesMask, mrsigner, isvprodid } = identity
  // MISCSELECT is written as a big-endian number in the document and lies little endian in the report.
  if (!masked(report.miscSelect.toReversed(), miscselect, miscselectMask)) {
    throw new QuoteError('quoting enclave: MISCSELECT is not the expected')
  }
  if (!masked(report.attributes, attributes, attributesMask)) {
    throw new QuoteError('quoting enclave: ATTRIBUTES are not the expected')
  }
  if (!equalBytes(report.mrSigner, mrsigner))
    throw new QuoteError('quoting enclave: MRSIGNER is not the expected')
  if (report.isvProdId !== isvprodid) throw new QuoteError('quoting enclave: ISVPRODID is not the expected')
}

/** The quoting enclave's level. Throws QuoteError when none matches. */
export function qeLevel(identity: Identity, report: QeReport): IsvLevel {
  return isvLevel(identity.tcbLevels, report.isvSvn, 'quoting enclave')
}

/**
 * The platform's level, converged with the module's and the quoting enclave's (Intel's steps 3.10 to 3.12).
 * Throws QuoteError when no level matches.
 */
export function tcbLevel(info: TcbInfo, identity: Identity, platform: PckPlatform, quote: TcbQuote): Level {
  const { body, qeReport } = quote
  const sgx = info.tcbLevels.find((entry) => reachesSgx(platform, entry))
  const matched = info.tcbLevels.find(
    (entry) => reachesSgx(platform, entry) && reachesTdx(body.teeTcbSvn, entry),
  )
  if (sgx === undefined || matched === undefined) throw new QuoteError('TCB: no level matches this platform')
  const module = moduleLevel(info, body.teeTcbSvn)
  const qe = qeLevel(identity, qeReport)
  const parts = [matched, module, qe].filter((part) => part !== undefined)
  const advisories = [...new Set(parts.flatMap((part) => part.advisoryIDs))].sort()
  const converged = module === undefined ? matched.tcbStatus : converge(matched.tcbStatus, module.tcbStatus)
  const stale = { sgx: sgx.tcbStatus, tdx: converged, module: module?.tcbStatus, qe: qe.tcbStatus }
  const tdx = relaunchStatus(info, body, stale) ?? converged
  return { status: converge(tdx, qe.tcbStatus), advisories }
}

interface TcbQuote {
  body: TdBody
  qeReport: QeReport
}

function reachesSgx(platform: PckPlatform, { tcb }: PlatformLevel): boolean {
  const all = tcb.sgxtcbcomponents.every(({ svn: least }, i) => (platform.components[i] ?? 0) >= least)
  return all && platform.pceSvn >= tcb.pcesvn
}

function reachesTdx(teeTcbSvn: Uint8Array, { tcb }: PlatformLevel): boolean {
  // With a module identity the first two TDX components are the module's business.
  const first = (teeTcbSvn[1] ?? 0) > 0 ? 2 : 0
  return tcb.tdxtcbcomponents.every(({ svn: least }, i) => i < first || (teeTcbSvn[i] ?? 0) >= least)
}

function isvLevel(levels: readonly IsvLevel[], isvSvn: number, what: string): IsvLevel {
  const found = levels.find((entry) => isvSvn >= entry.tcb.isvsvn)
  if (found === undefined) throw new QuoteError(`TCB: no level matches this ${what}`)
  return found
}

/** Combines the platform's status with that of its module or its quoting enclave (Intel's step 3.11). */
export function converge(platform: TcbStatus, part: IsvStatus): TcbStatus {
  if (platform === 'Revoked' || part === 'Revoked') return 'Revoked'
  if (part === 'UpToDate') return platform
  if (platform === 'UpToDate' || platform === 'SWHardeningNeeded') return 'OutOfDate'
  if (platform === 'ConfigurationNeeded' || platform === 'ConfigurationAndSWHardeningNeeded') {
    return 'OutOfDateConfigurationNeeded'
  }
  return platform
}

const CURRENT: readonly TcbStatus[] = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
]
const CONFIGURATION: readonly TcbStatus[] = [
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDateConfigurationNeeded',
]

/**
 * TD 1.5: the machine runs the newest module now, but this TD started under an older one and should be relaunched
 * (Intel's step 3.12). The SGX part must be current without the TDX components, only the module (and what it makes of
 * the platform) out of date, the quoting enclave in order, and TEE_TCB_SVN_2 at the newest module version and the
 * newest level's microcode. Undefined where the rule does not apply. Throws QuoteError for a module of unknown version.
 */
function relaunchStatus(
  info: TcbInfo,
  { teeTcbSvn2: now }: TdBody,
  { sgx, tdx, module, qe }: { sgx: TcbStatus; tdx: TcbStatus; module: IsvStatus | undefined; qe: IsvStatus },
): TcbStatus | undefined {
  if (now === undefined || qe !== 'UpToDate') return undefined
  const tdxOld = tdx === 'OutOfDate' || tdx === 'OutOfDateConfigurationNeeded'
  if (!CURRENT.includes(sgx) || !tdxOld || module !== 'OutOfDate') return undefined
  const [newest] = info.tcbLevels
  const newestTdx = newest?.tcb.tdxtcbcomponents ?? []
  const identity = moduleIdentity(info, now)
  const leastModule = identity === undefined ? newestTdx[0]?.svn : identity.tcbLevels[0]?.tcb.isvsvn
  const leastMicrocode = newestTdx[2]?.svn
  if (leastModule === undefined || leastMicrocode === undefined) return undefined
  if ((now[0] ?? 0) < leastModule || (now[2] ?? 0) < leastMicrocode) return undefined
  const configuration = CONFIGURATION.includes(sgx) || CONFIGURATION.includes(tdx)
  return configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised'
}

/** What the mask leaves of the value is the expected, which therefore has no bit outside the mask. */
function masked(value: Uint8Array, expected: Uint8Array, mask: Uint8Array): boolean {
  return value.every((byte, i) => (byte & (mask[i] ?? 0)) === expected[i])
}
