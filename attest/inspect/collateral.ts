/** Collateral and the single answers of Intel's service (PCS) or a cache of it (PCCS), in words. */

import { fromHex, toHex, utf8 } from '../bytes.ts'
import { firstIssue } from '../schema.ts'
import { type Collateral, collateralSchema } from '../tdx/collateral.ts'
import { type Identity, parseQeIdentity, parseTcbInfo, type TcbInfo } from '../tdx/tcb.ts'
import { type Certificate, parseChain, parseCrl, verifyP256 } from '../x509/index.ts'
import { addChain, addCrl, rootInWords } from './chain.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, date } from './text.ts'

/** Explains the nine-key object. */
export async function inspectCollateral(json: unknown, now: number): Promise<Report> {
  const report = newReport('collateral', 'collateral: what Intel signed about a platform')
  const parsed = collateralSchema.safeParse(json)
  if (!parsed.success) {
    report.problems.push(`collateral: ${firstIssue(parsed.error)}`)
    return report
  }
  const { data } = parsed
  await describeTcb(report, data, now)
  await describeIdentity(report, data, now)
  await describeCrls(report, data, now)
  return report
}

async function describeTcb(report: Report, data: Collateral, now: number): Promise<void> {
  const chain = await attempt(report, 'TCB info issuer chain', () => parseChain(data.tcb_info_issuer_chain))
  const info = await attempt(report, 'TCB info', () => parseTcbInfo(data.tcb_info))
  if (info !== undefined) addTcbInfo(report, info, now)
  if (chain === undefined) return
  await addChain(report, 'TCB info issuer chain', chain, now)
  await checkText(report, 'TCB info', data.tcb_info, data.tcb_info_signature, chain)
}

async function describeIdentity(report: Report, data: Collateral, now: number): Promise<void> {
  const chain = await attempt(report, 'QE identity issuer chain', () =>
    parseChain(data.qe_identity_issuer_chain),
  )
  const identity = await attempt(report, 'QE identity', () => parseQeIdentity(data.qe_identity))
  if (identity !== undefined) addIdentity(report, identity, now)
  if (chain === undefined) return
  await addChain(report, 'QE identity issuer chain', chain, now)
  await checkText(report, 'QE identity', data.qe_identity, data.qe_identity_signature, chain)
}

async function describeCrls(report: Report, data: Collateral, now: number): Promise<void> {
  const chain = await attempt(report, 'PCK CRL issuer chain', () => parseChain(data.pck_crl_issuer_chain))
  if (chain !== undefined) await addChain(report, 'PCK CRL issuer chain', chain, now)
  const lists: [string, string, string][] = [
    ['PCK CRL', data.pck_crl, chain?.[0]?.commonName ?? 'the PCK CA'],
    ['root CA CRL', data.root_ca_crl, chain?.at(-1)?.commonName ?? 'the root'],
  ]
  for (const [name, hex, issuer] of lists) {
    const crl = await attempt(report, name, () => parseCrl(fromHex(hex)))
    if (crl !== undefined) addCrl(report, name, crl, now)
    report.signatures.push(`${name}: by "${issuer}"`)
  }
}

async function checkText(
  report: Report,
  what: string,
  text: string,
  signature: string,
  chain: readonly Certificate[],
): Promise<void> {
  const [signer] = chain
  const root = chain.at(-1)
  if (signer === undefined || root === undefined) return
  report.signatures.push(
    `${what}, as exact text: by "${signer.commonName}", whose chain ends in ${rootInWords(root)}`,
  )
  if (!(await verifyP256(signer.publicKey, fromHex(signature), utf8(text))))
    report.problems.push(`${what}: changed after signing, or signed by another key`)
}

function addTcbInfo(report: Report, info: TcbInfo, now: number): void {
  const [best] = info.tcbLevels
  addSection(report, 'TCB info', [
    row('FMSPC', toHex(info.fmspc), 'the kind of platform that it is for'),
    row('PCEID', toHex(info.pceId)),
    ...dates(report, 'TCB info', info, now),
    row('TDX modules', info.tdxModuleIdentities.map(({ id }) => id).join(', ') || 'none but TDX 1.0'),
    row('levels', count(info.tcbLevels.length, 'TCB level')),
    row(
      'best level',
      best && `${best.tcbStatus}, of ${date(best.tcbDate)}`,
      best?.advisoryIDs.join(', ') || undefined,
    ),
  ])
}

function addIdentity(report: Report, identity: Identity, now: number): void {
  const [best] = identity.tcbLevels
  addSection(report, 'QE identity', [
    ...dates(report, 'QE identity', identity, now),
    row('ISVPRODID', identity.isvprodid),
    row('best level', best && `${best.tcbStatus} from security version ${best.tcb.isvsvn}`),
  ])
}

function dates(
  report: Report,
  what: string,
  { issueDate, nextUpdate, tcbEvaluationDataNumber }: TcbInfo | Identity,
  now: number,
): ReturnType<typeof row>[] {
  if (now < issueDate) report.problems.push(`${what}: is from the future`)
  if (now > nextUpdate) report.problems.push(`${what}: has expired`)
  return [
    row('issued', date(issueDate)),
    row('next update', date(nextUpdate), 'after this it no longer counts'),
    row('evaluation number', tcbEvaluationDataNumber, 'grows with each round of security updates'),
  ]
}

/** Explains one body of PCS: TCB info or an enclave identity with its signature, but without its chain. */
export async function inspectPcsAnswer(json: Record<string, unknown>, now: number): Promise<Report> {
  const report = newReport(
    'pcs-answer',
    'one answer of the Intel PCS, without the certificates of its signer',
  )
  // The signature is over the exact text, so this re-encoded reading can only be explained, not checked.
  if (json.tcbInfo !== undefined) {
    const info = await attempt(report, 'TCB info', () => parseTcbInfo(JSON.stringify(json.tcbInfo)))
    if (info !== undefined) addTcbInfo(report, info, now)
  } else {
    const text = JSON.stringify(json.enclaveIdentity)
    const identity = await attempt(report, 'QE identity', () => parseQeIdentity(text))
    if (identity !== undefined) addIdentity(report, identity, now)
  }
  report.signatures.push(
    'the document, as exact text: by the TCB signer, whose chain came in a header of the answer',
  )
  return report
}
