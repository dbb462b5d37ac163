/**
 * Which of two answers about a platform is the older. Old lists and documents are in date for weeks, so whoever stands
 * between a verifier and its source could hand out those from before a revocation or a TCB recovery.
 */

import { type Collateral, type ParsedCollateral, parseCollateral } from '../tdx/collateral.ts'
import type { Crl } from '../x509/index.ts'

/** A part's dates (ms), and the number that never falls from one issue of it to the next. */
interface Issue {
  name: string
  issued: number
  until: number
  numbered: string
  number: bigint | undefined
}

/** What is wrong with parts that are older than known ones. */
export interface Older {
  /** They were issued before a known part, or are numbered lower than one that is in date. */
  parts: string[]
  /** They are numbered lower than a known part, which has run out. */
  lapsed: string[]
}

/**
 * Says of every part of `given` that was issued before the same part of `known`, or numbered lower, what is wrong with
 * it; nothing if none is older. Both are for one platform. A number binds only while the part that has it is in date
 * at `now` (ms): Intel signs the documents of more than one TCB recovery at a time, and a source that once gave the
 * later (`update=early`) must not be refused for ever. Throws X509Error or QuoteError on malformed collateral.
 */
export function olderParts(given: Collateral, known: Collateral, now: number): Older {
  const before = issues(parseCollateral(known))
  const older: Older = { parts: [], lapsed: [] }
  issues(parseCollateral(given)).forEach((issue, i) => {
    const other = before[i]
    if (other === undefined) return
    older.parts.push(...earlier(issue, other))
    older[now <= other.until ? 'parts' : 'lapsed'].push(...lower(issue, other))
  })
  return older
}

function earlier({ name, issued }: Issue, known: Issue): string[] {
  return issued < known.issued
    ? [`${name} of ${time(issued)} is older than that of ${time(known.issued)}`]
    : []
}

function lower({ name, issued, numbered, number }: Issue, known: Issue): string[] {
  if (issued < known.issued) return []
  if (known.number !== undefined && (number === undefined || number < known.number))
    return [`${name} has ${numbered} ${number ?? 'none'}, after ${known.number}`]
  return []
}

type Dated = Record<'issueDate' | 'nextUpdate' | 'tcbEvaluationDataNumber', number>

function issues({ rootCrl, pckCrl, tcbInfo, qeIdentity }: ParsedCollateral): Issue[] {
  const list = (name: string, { thisUpdate, nextUpdate, number }: Crl): Issue => ({
    name,
    issued: thisUpdate,
    until: nextUpdate,
    numbered: 'CRL number',
    number,
  })
  const document = (name: string, of: Dated): Issue => ({
    name,
    issued: of.issueDate,
    until: of.nextUpdate,
    numbered: 'evaluation number',
    number: BigInt(of.tcbEvaluationDataNumber),
  })
  return [
    list('root CA CRL', rootCrl),
    list('PCK CRL', pckCrl),
    document('TCB info', tcbInfo),
    document('QE identity', qeIdentity),
  ]
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
