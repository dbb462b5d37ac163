/** `attest inspect`: explains a file to a person. */

import { allProblems, inspect as inspectBytes, type Report } from '../inspect/index.ts'
import { count, printable } from '../inspect/text.ts'
import { ArgumentError, EXIT, verb } from './command.ts'
import { readInput, readTime } from './files.ts'
import { type Io, styled } from './io.ts'
import { safeJson } from './json.ts'

export const inspect = verb(
  {
    name: 'inspect',
    usage: ['FILE [--at TIME] [--json]'],
    summary:
      'Explains a quote, bundle, collateral, event log, GPU report, token, receipt, policy or certificate: what each\nfield means, what is signed by whom, and what is wrong. Inspection is not verification: that is attest verify.',
    flags: {
      at: { value: 'TIME', about: 'the moment at which things may have expired; now when absent' },
      json: { about: 'print the same as one JSON object' },
    },
    operands: 1,
    notes: ['Example:', '  attest inspect evidence.json'],
  },
  async (given, [file], io) => {
    if (file === undefined) throw new ArgumentError('attest inspect: needs a file; see attest inspect --help')
    const now = given.at === undefined ? io.now() : readTime('--at', given.at)
    const report = await inspectBytes(await readInput(io, 'FILE', file), { now })
    if (given.json) io.out(`${safeJson(report)}\n`)
    else io.out(reportText(report, file, io))
    return report.kind === 'unknown' ? EXIT.unusable : EXIT.accepted
  },
)

/** The report as a page of text. */
export function reportText(report: Report, file: string, io: Pick<Io, 'colour'>): string {
  const problems = allProblems(report)
  const wrong = problems.map((text) => `  ${styled(io, 'red', '!')} ${printable(text)}`)
  const found =
    problems.length === 0 ? 'Nothing wrong was seen.' : `${count(problems.length, 'thing')} wrong:`
  return [
    `${printable(file)}: ${styled(io, 'bold', printable(report.title))}`,
    ...body(report, io),
    '',
    styled(io, problems.length === 0 ? 'bold' : 'red', found),
    ...wrong,
    'Inspection is not verification: attest verify judges signatures, dates, revocation and policy.',
    '',
  ].join('\n')
}

function body(report: Report, io: Pick<Io, 'colour'>): string[] {
  const lines = report.sections.flatMap(({ title, rows }) => {
    const width = Math.min(30, Math.max(...rows.map(({ name }) => printable(name).length)))
    return [
      '',
      styled(io, 'bold', printable(title)),
      ...rows.map(({ name, value, meaning }) => {
        const left = `  ${printable(name).padEnd(width)}  ${printable(value)}`
        if (meaning === undefined) return left
        // A meaning that does not fit beside its value stands below it.
        const fits = left.length + meaning.length + 3 <= 110
        const words = styled(io, 'dim', printable(meaning))
        return fits ? `${left}   ${words}` : `${left}\n  ${' '.repeat(width)}  ${words}`
      }),
    ]
  })
  const signed = report.signatures.map((text) => `  ${printable(text)}`)
  const parts = report.parts.flatMap((part) => [
    '',
    styled(io, 'bold', `── ${printable(part.title)}`),
    ...body(part, io),
  ])
  return [
    ...lines,
    ...(signed.length === 0 ? [] : ['', styled(io, 'bold', 'signed by whom'), ...signed]),
    ...parts,
  ]
}
