/** A verdict as a page for a person and as JSON for a program. */

import { fromBase64, toHex } from '../bytes.ts'
import { cautions } from '../evidence/cautions.ts'
import { failedFactors, type Verdict } from '../evidence/verdict.ts'
import { count, date, printable } from '../inspect/text.ts'
import { type Io, type Style, styled } from './io.ts'

/** What was judged, by what, as of when. */
export interface Occasion {
  /** File or URL, as the person named it. */
  subject: string
  policy: string
  /** ms */
  at: number
}

/** The five members that programs may rely on. */
interface VerdictJson {
  verdict: 'accept' | 'refuse'
  tcbStatus: string | null
  advisories: readonly string[]
  factors: { name: string; result: string; reason: string }[]
  fields: Record<string, unknown>
}

/** The verdict as JSON. `fields` says what was read; in a refusal nothing of it is proven. */
export function verdictJson(verdict: Verdict, { policy, at }: Occasion): VerdictJson {
  const { claimsDigest, claims, tee } = verdict
  return {
    verdict: verdict.verdict,
    tcbStatus: verdict.tcbStatus ?? null,
    advisories: verdict.advisories,
    factors: verdict.factors.map(({ name, result, reason }) => ({ name, result, reason })),
    fields: {
      ...verdict.fields,
      tee,
      policy,
      at: new Date(at).toISOString(),
      ...(claimsDigest === undefined ? {} : { claimsDigest }),
      // Only an accepting verdict has claims, so an unproven key is never printed.
      ...(claims === undefined
        ? {}
        : {
            role: claims.role,
            signingKey: toHex(fromBase64(claims.signingKey)),
            models: claims.models,
            software: claims.software,
          }),
    },
  }
}

const WORDS: Record<string, string> = { pass: 'pass', fail: 'FAIL', skip: 'skip', 'not-applicable': 'n/a' }

/** The verdict as a table, with the answer at its end, where a terminal shows it. */
export function verdictText(verdict: Verdict, occasion: Occasion, io: Pick<Io, 'colour'>): string {
  const against = new Set(failedFactors(verdict))
  const folded = fold(verdict.factors, against)
  const width = Math.max(...folded.map(({ name }) => name.length))
  const rows = folded.map(({ name, result, reason, bad }) => {
    const word = bad ? (result === 'skip' ? 'SKIP' : 'FAIL') : (WORDS[result] ?? result)
    const style: Style = bad ? 'red' : result === 'pass' ? 'green' : 'dim'
    return `  ${styled(io, style, word.padEnd(4))}  ${name.padEnd(width)}  ${printable(reason)}`
  })
  return [
    `${printable(occasion.subject)}, judged by the policy "${printable(occasion.policy)}" as of ${date(occasion.at)}`,
    '',
    ...rows,
    '',
    ...facts(verdict),
    conclusion(verdict, against, io),
    '',
  ].join('\n')
}

interface Row {
  name: string
  result: string
  reason: string
  bad: boolean
}

/** One row for neighbours of one group that say the same, unless they speak against acceptance. */
function fold(factors: Verdict['factors'], against: ReadonlySet<string>): Row[] {
  const rows: (Row & { group: string; size: number })[] = []
  for (const { name, result, reason } of factors) {
    const group = name.slice(0, name.indexOf('.'))
    const bad = against.has(name)
    const last = rows.at(-1)
    const same = last?.group === group && last.result === result && last.reason === reason
    if (last === undefined || !same || bad || last.bad || result === 'pass')
      rows.push({ name, result, reason, bad, group, size: 1 })
    else last.size++
  }
  return rows.map(({ size, group, ...row }) => (size === 1 ? row : { ...row, name: `${group}.* (${size})` }))
}

function facts(verdict: Verdict): string[] {
  const { mrTd, rtmr, fmspc, tcbEvaluationDataNumber, reportData } = verdict.fields
  const rows: [string, string | undefined][] = [
    ['TCB status', verdict.tcbStatus],
    ['advisories', verdict.advisories.join(', ') || undefined],
    ['platform', fmspc && `FMSPC ${fmspc}, evaluation number ${tcbEvaluationDataNumber ?? 'unknown'}`],
    ['MRTD', mrTd],
    ...(rtmr ?? []).map((value, i): [string, string] => [`RTMR${i}`, zeroOr(value)]),
    ['REPORTDATA', reportData && zeroOr(reportData)],
    ['configured', verdict.fields.configurationSha256],
    ['claims', verdict.claimsDigest],
    ['role', verdict.claims?.role],
    ['models', verdict.claims?.models.map(({ id, sha256 }) => `${id} ${sha256}`).join(', ') || undefined],
    ['signs with', verdict.claims && toHex(fromBase64(verdict.claims.signingKey))],
  ]
  const present = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name.padEnd(10)}  ${printable(value)}`],
  )
  return present.length === 0 ? [] : [...present, '']
}

function zeroOr(hex: string): string {
  return /^0+$/.test(hex) ? 'all zero' : hex
}

/** Strict as it is refuses everything: whoever meets it first is told what to do about that. */
const NEXT_STEP = `
  Nothing failed, but the policy pins nothing. Write one: attest policy strict > policy.json, add pins (attest measure),
  and judge with --policy policy.json. --policy platform asks only whether quote and machine are genuine.`

function conclusion(verdict: Verdict, against: ReadonlySet<string>, io: Pick<Io, 'colour'>): string {
  const total = count(verdict.factors.length, 'factor')
  if (verdict.verdict === 'accept') {
    const skipped = verdict.factors.filter(({ result }) => result === 'skip').length
    const gaps = skipped === 0 ? '' : `, ${skipped} skipped as the policy allows`
    const open = cautions(verdict).map((text) => `\n${text}`)
    return `${styled(io, 'green', 'ACCEPTED')}: ${total}, none against it${gaps}${open.join('')}`
  }
  const word = styled(io, 'red', 'REFUSED')
  if (against.size === 0) return `${word}: there was nothing to accept`
  const names = (wanted: boolean): string[] =>
    verdict.factors
      .filter(({ name, result }) => against.has(name) && (result === 'fail') === wanted)
      .map(({ name }) => name)
  const failed = names(true).length === 0 ? '' : `\n  failed: ${names(true).join(', ')}`
  const missing = names(false).length === 0 ? '' : `\n  not judged, and demanded: ${names(false).join(', ')}`
  const unpinned = failed === '' && against.has('measurement.allowed') && verdict.tee === 'tdx'
  return `${word} by ${against.size} of ${total}${failed}${missing}${unpinned ? NEXT_STEP : ''}`
}
