/**
 * Which of two answers about a platform is the older. Old lists and documents are in date for weeks, so whoever stands
 * between a verifier and its source could hand out those from before a revocation or a TCB recovery.
 */

import { type Collateral, type ParsedCollateral, parseCollateral } from '../tdx/collateral.ts'
import type { Crl } from '../x509/index.ts'

/** A part's date (ms), and the number that never falls from one issue of it to the next. */
interface Issue {
  name: string
  issued: number
  numbered: string
  number: bigint | undefined
}

/**
 * Says of every part of `given` that was issued before the same part of `known`, or numbered lower, what is wrong with
 * it; nothing if none is older. Both are for one platform. Throws X509Error or QuoteError on malformed collateral.
 */
export function olderParts(given: Collateral, known: Collateral): string[] {
  const before = issues(parseCollateral(known))
  return issues(parseCollateral(given)).flatMap((issue, i) => {
    const other = before[i]
    return other === undefined ? [] : older(issue, other)
  })
}

function older({ name, issued, numbered, number }: Issue, known: Issue): string[] {
  if (issued < known.issued) return [`${name} of ${time(issued)} is older than that of ${time(known.issued)}`]
  if (known.number !== undefined && (number === undefined || number < known.number))
    return [`${name} has ${numbered} ${number ?? 'none'}, after ${known.number}`]
  return []
}

function issues({ rootCrl, pckCrl, tcbInfo, qeIdentity }: ParsedCollateral): Issue[] {
  const list = (name: string, { thisUpdate, number }: Crl): Issue => ({
    name,
    issued: thisUpdate,
    numbered: 'CRL number',
    number,
  })
  const document = (name: string, of: { issueDate: number; tcbEvaluationDataNumber: number }): Issue => ({
    name,
    issued: of.issueDate,
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
