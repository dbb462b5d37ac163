/** Judges platform, TDX module and quoting enclave by proven TCB info and QE identity (reference order 3.6 to 3.13). */

import { fromHex, toHex } from '../bytes.ts'
import type { Factors } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import type { Certificate } from '../x509/index.ts'
import { type PckPlatform, readPckPlatform } from './pck.ts'
import { type Quote, QuoteError, type TdBody } from './quote.ts'
import {
  checkModuleAttributes,
  checkModuleSigner,
  checkQe,
  type Identity,
  type Level,
  moduleIdentity,
  moduleLevel,
  qeLevel,
  type TcbInfo,
  type TcbStatus,
  tcbLevel,
} from './tcb.ts'

/** Sets platform.allowed: neither name of the machine nor its quoting enclave is one that the policy refuses. */
export function judgeIdentity(
  factors: Factors,
  { ppid, platformInstanceId }: PckPlatform,
  { qeId }: Quote,
  { revokedPlatforms = [] }: Policy,
): void {
  const names = [ppid, platformInstanceId, toHex(qeId)]
  const refused = names.find((name) => name !== undefined && revokedPlatforms.includes(name))
  const good = 'the policy does not refuse this platform'
  const bad = `the policy refuses this platform by its id ${refused}`
  factors.expect('platform.allowed', refused === undefined, good, bad)
}

/** Sets platform.match; returns the platform that the PCK certificate describes. */
export function judgeMatch(
  factors: Factors,
  leaf: Certificate,
  { fmspc, pceId }: TcbInfo,
): Promise<PckPlatform | undefined> {
  return factors.check('platform.match', 'the TCB info is for this platform', () => {
    const found = readPckPlatform(leaf)
    if (found.fmspc !== toHex(fmspc)) throw new QuoteError(`TCB info: not for FMSPC ${found.fmspc}`)
    if (found.pceId !== toHex(pceId)) throw new QuoteError(`TCB info: not for PCEID ${found.pceId}`)
    return found
  })
}

/** Sets qe.identity and qe.tcb. */
export async function judgeQe(
  factors: Factors,
  identity: Identity,
  { qeReport }: Quote,
  policy: Policy,
): Promise<void> {
  await factors.check('qe.identity', 'the quoting enclave is the expected one', () =>
    checkQe(identity, qeReport),
  )
  await factors.check('qe.tcb', 'the quoting enclave is up to date or allowed by name', () =>
    checkStatus('quoting enclave', qeLevel(identity, qeReport).tcbStatus, policy),
  )
}

/** Sets seam.module, seam.signer and seam.attributes. */
export async function judgeModule(
  factors: Factors,
  info: TcbInfo,
  body: TdBody,
  policy: Policy,
): Promise<void> {
  await factors.check('seam.module', 'the TDX module is known and allowed', () =>
    checkModule(info, body, policy),
  )
  try {
    moduleIdentity(info, body.teeTcbSvn)
  } catch {
    return // Said by seam.module; without an identity there is nothing to compare with.
  }
  await factors.check('seam.signer', 'the expected key signed the TDX module', () =>
    checkModuleSigner(info, body),
  )
  await factors.check('seam.attributes', 'the TDX module runs with the expected attributes', () =>
    checkModuleAttributes(info, body),
  )
}

function checkModule(info: TcbInfo, body: TdBody, { modules, minimumTeeTcbSvn }: Policy): void {
  if (moduleLevel(info, body.teeTcbSvn)?.tcbStatus === 'Revoked') {
    throw new QuoteError('TDX module: its version is revoked')
  }
  if (modules !== undefined && !modules.includes(toHex(body.mrSeam))) {
    throw new QuoteError(`TDX module: the policy does not allow MRSEAM ${toHex(body.mrSeam)}`)
  }
  if (minimumTeeTcbSvn === undefined) return
  const least = fromHex(minimumTeeTcbSvn)
  if (body.teeTcbSvn.some((svn, i) => svn < (least[i] ?? 0))) {
    throw new QuoteError(`TDX module: TEE_TCB_SVN ${toHex(body.teeTcbSvn)} is below ${minimumTeeTcbSvn}`)
  }
}

/** Sets tcb.status and tcb.advisories; returns the level that was reached. */
export async function judgeLevel(
  factors: Factors,
  documents: { tcbInfo: TcbInfo; qeIdentity: Identity },
  { platform, quote }: { platform: PckPlatform; quote: Quote },
  policy: Policy,
): Promise<Level | undefined> {
  let level: Level | undefined
  await factors.check('tcb.status', 'the platform is up to date or allowed by name', () => {
    level = tcbLevel(documents.tcbInfo, documents.qeIdentity, platform, quote)
    checkStatus('platform', level.status, policy)
  })
  if (level === undefined) return undefined
  const open = level.advisories.filter((id) => !policy.tcb?.advisories.includes(id))
  factors.expect(
    'tcb.advisories',
    open.length === 0,
    'no advisory is open but those that the policy names',
    `open advisories that the policy does not name: ${open.join(', ')}`,
  )
  return level
}

function checkStatus(what: string, status: TcbStatus, { tcb }: Policy): void {
  if (status === 'UpToDate') return
  // A revoked part is never forgiven.
  if (status !== 'Revoked' && tcb?.statuses.includes(status)) return
  throw new QuoteError(`TCB status of the ${what} is ${status}`)
}
