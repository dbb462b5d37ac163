/** Intel's TCB info (TDX, version 3) and QE identity (version 2): parsing and the choice of TCB levels. */

import { z } from 'zod'
import { fromHex } from '../bytes.ts'
import type { PckPlatform } from './pck.ts'
import { isZero, type QeReport, QuoteError, type TdBody } from './quote.ts'

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

const status = z.enum(TCB_STATUSES)
const svn = z.int().min(0).max(255)
const date = z.iso.datetime().transform((text) => Date.parse(text))
const hexOf = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`))
    .transform((text) => fromHex(text.toLowerCase()))
const level = {
  tcbDate: date,
  tcbStatus: status,
  advisoryIDs: z.array(z.string().max(64)).max(256).default([]),
}
const isvLevels = z
  .array(z.object({ tcb: z.object({ isvsvn: z.int().min(0).max(65535) }), ...level }))
  .max(256)
const components = z.array(z.object({ svn })).length(16)
const moduleFields = { mrsigner: hexOf(48), attributes: hexOf(8), attributesMask: hexOf(8) }
const documentFields = { issueDate: date, nextUpdate: date, tcbEvaluationDataNumber: z.int().min(0) }

// Unknown keys are let through: the text is signed as a whole, and Intel may add fields that judge nothing here.
const tcbInfoSchema = z.object({
  id: z.literal('TDX'),
  version: z.literal(3),
  ...documentFields,
  fmspc: hexOf(6),
  pceId: hexOf(2),
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
        ...level,
      }),
    )
    .max(256),
})

const qeIdentitySchema = z.object({
  id: z.literal('TD_QE'),
  version: z.literal(2),
  ...documentFields,
  miscselect: hexOf(4),
  miscselectMask: hexOf(4),
  attributes: hexOf(16),
  attributesMask: hexOf(16),
  mrsigner: hexOf(32),
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
  const [issue] = parsed.error.issues
  throw new QuoteError(`${name}: ${issue?.path.join('.')}: ${issue?.message}`)
}

export interface Level {
  status: TcbStatus
  advisories: readonly string[]
}

/** The TDX module's identity block for this quote: by major version, or the base entry for TDX 1.0. Throws QuoteError. */
export function moduleIdentity(
  info: TcbInfo,
  body: TdBody,
): TcbInfo['tdxModuleIdentities'][number] | undefined {
  const major = body.teeTcbSvn[1] ?? 0
  if (major === 0) return undefined
  const id = `TDX_${major.toString(16).padStart(2, '0').toUpperCase()}`
  const found = info.tdxModuleIdentities.find((entry) => entry.id.toUpperCase() === id)
  if (found === undefined) throw new QuoteError(`TCB info: no TDX module identity ${id}`)
  return found
}

type ModuleIdentity = TcbInfo['tdxModule']

/** The signer of the TDX module must be that of its identity. Throws QuoteError (Intel's step 3.9). */
export function checkModuleSigner(expected: ModuleIdentity, body: TdBody): void {
  if (!same(body.mrSignerSeam, expected.mrsigner))
    throw new QuoteError('TDX module: MRSIGNERSEAM is not the expected')
}

/** The attributes of the TDX module must be zero, and those of its identity. Throws QuoteError (Intel's step 3.9). */
export function checkModuleAttributes(expected: ModuleIdentity, { seamAttributes }: TdBody): void {
  const good = masked(seamAttributes, expected.attributes, expected.attributesMask)
  if (!good || !isZero(seamAttributes))
    throw new QuoteError('TDX module: SEAMATTRIBUTES are not the expected')
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
  if (!same(report.mrSigner, mrsigner)) throw new QuoteError('quoting enclave: MRSIGNER is not the expected')
  if (report.isvProdId !== isvprodid) throw new QuoteError('quoting enclave: ISVPRODID is not the expected')
}

/** The status of the quoting enclave's own level. Throws QuoteError when none matches (Intel's step 3.7). */
export function qeStatus(identity: Identity, report: QeReport): TcbStatus {
  return isvLevel(identity.tcbLevels, report.isvSvn, 'quoting enclave').tcbStatus
}

/**
 * The platform's level, converged with the module's and the quoting enclave's (Intel's steps 3.10 to 3.12).
 * Throws QuoteError when no level matches.
 */
export function tcbLevel(info: TcbInfo, identity: Identity, platform: PckPlatform, quote: TcbQuote): Level {
  const { body, qeReport } = quote
  const matched = platformLevel(info, platform, body.teeTcbSvn)
  if (matched === undefined) throw new QuoteError('TCB: no level matches this platform')
  const module = moduleIdentity(info, body)
  const moduleLevel = module && isvLevel(module.tcbLevels, body.teeTcbSvn[0] ?? 0, 'TDX module')
  const qeLevel = isvLevel(identity.tcbLevels, qeReport.isvSvn, 'quoting enclave')
  const parts = [matched, moduleLevel, qeLevel].filter((part) => part !== undefined)
  const advisories = [...new Set(parts.flatMap((part) => part.advisoryIDs))].sort()
  const relaunch = relaunchStatus(
    info,
    platform,
    quote,
    matched.tcbStatus,
    moduleLevel?.tcbStatus,
    qeLevel.tcbStatus,
  )
  if (relaunch !== undefined) return { status: relaunch, advisories }
  let converged: TcbStatus = matched.tcbStatus
  for (const part of [moduleLevel, qeLevel])
    if (part !== undefined) converged = converge(converged, part.tcbStatus)
  return { status: converged, advisories }
}

interface TcbQuote {
  body: TdBody
  qeReport: QeReport
}

function platformLevel(
  info: TcbInfo,
  platform: PckPlatform,
  svns: Uint8Array,
): TcbInfo['tcbLevels'][number] | undefined {
  // With a module identity the first two TDX components are the module's business.
  const first = (svns[1] ?? 0) > 0 ? 2 : 0
  return info.tcbLevels.find(({ tcb }) => {
    const sgx = tcb.sgxtcbcomponents.every((component, i) => (platform.components[i] ?? 0) >= component.svn)
    const tdx = tcb.tdxtcbcomponents.every((component, i) => i < first || (svns[i] ?? 0) >= component.svn)
    return sgx && tdx && platform.pceSvn >= tcb.pcesvn
  })
}

function isvLevel(
  levels: z.infer<typeof isvLevels>,
  isvSvn: number,
  what: string,
): z.infer<typeof isvLevels>[number] {
  const found = levels.find((entry) => isvSvn >= entry.tcb.isvsvn)
  if (found === undefined) throw new QuoteError(`TCB: no level matches this ${what}`)
  return found
}

/** Combines two statuses (Intel's step 3.11). */
export function converge(platform: TcbStatus, part: TcbStatus): TcbStatus {
  if (platform === 'Revoked' || part === 'Revoked') return 'Revoked'
  if (part !== 'OutOfDate') return part === 'UpToDate' ? platform : worse(platform, part)
  if (platform === 'UpToDate' || platform === 'SWHardeningNeeded') return 'OutOfDate'
  if (platform === 'ConfigurationNeeded' || platform === 'ConfigurationAndSWHardeningNeeded') {
    return 'OutOfDateConfigurationNeeded'
  }
  return platform
}

/** Statuses other than UpToDate, OutOfDate and Revoked are not defined for modules and enclaves: take the worse. */
function worse(a: TcbStatus, b: TcbStatus): TcbStatus {
  return TCB_STATUSES.indexOf(a) >= TCB_STATUSES.indexOf(b) ? a : b
}

/**
 * TD 1.5: the platform runs an up-to-date module now, but this TD started under an older one and should be relaunched
 * (Intel's step 3.12). Undefined where the rule does not apply.
 */
function relaunchStatus(
  info: TcbInfo,
  platform: PckPlatform,
  { body }: TcbQuote,
  platformStatus: TcbStatus,
  module: TcbStatus | undefined,
  qe: TcbStatus,
): TcbStatus | undefined {
  if (body.teeTcbSvn2 === undefined || module !== 'OutOfDate' || qe === 'OutOfDate' || qe === 'Revoked')
    return undefined
  if (platformStatus !== 'OutOfDate' && platformStatus !== 'OutOfDateConfigurationNeeded') return undefined
  const now = { ...body, teeTcbSvn: body.teeTcbSvn2 }
  const level = platformLevel(info, platform, now.teeTcbSvn)
  const identity = level && moduleIdentity(info, now)
  const moduleNow = identity && isvLevel(identity.tcbLevels, now.teeTcbSvn[0] ?? 0, 'TDX module').tcbStatus
  if (moduleNow !== undefined && moduleNow !== 'UpToDate') return undefined
  if (level?.tcbStatus === 'UpToDate' || level?.tcbStatus === 'SWHardeningNeeded') return 'TDRelaunchAdvised'
  const configuration =
    level?.tcbStatus === 'ConfigurationNeeded' || level?.tcbStatus === 'ConfigurationAndSWHardeningNeeded'
  return configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : undefined
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function masked(value: Uint8Array, expected: Uint8Array, mask: Uint8Array): boolean {
  return value.every((byte, i) => (byte & (mask[i] ?? 0)) === ((expected[i] ?? 0) & (mask[i] ?? 0)))
}
