/** What an inspection finds: words for a person, the same for a program. */

/** The kinds of file that are told apart. */
export type Kind =
  | 'bundle'
  | 'attestation-answer'
  | 'claims'
  | 'collateral'
  | 'pcs-answer'
  | 'certificates'
  | 'crl'
  | 'tdx-quote'
  | 'sgx-quote'
  | 'event-log'
  | 'ccel-table'
  | 'dstack-answer'
  | 'gpu-evidence'
  | 'gpu-report'
  | 'rim'
  | 'eat'
  | 'jwks'
  | 'receipt'
  | 'policy'
  | 'measurements'
  | 'unknown'

export interface Row {
  name: string
  value: string
  /** What the value means, in words. */
  meaning?: string
}

export interface Section {
  title: string
  rows: readonly Row[]
}

/** An inspection is no verification: it says who is supposed to have signed, and only what it saw to be wrong. */
export interface Report {
  kind: Kind
  /** What the file is, as a phrase: "a TDX quote, version 4". */
  title: string
  sections: Section[]
  /** What is signed by whom, as the file itself says. */
  signatures: string[]
  /** What is wrong, or would make a strict verifier refuse. */
  problems: string[]
  /** Documents inside this one. */
  parts: Report[]
}

/** A report to be filled. */
export function newReport(kind: Kind, title: string): Report {
  return { kind, title, sections: [], signatures: [], problems: [], parts: [] }
}

/** Adds a section, without rows that have no value. */
export function addSection(report: Report, title: string, rows: readonly (Row | undefined)[]): void {
  const present = rows.filter((row) => row !== undefined)
  if (present.length > 0) report.sections.push({ title, rows: present })
}

/** A row; undefined where there is no value. */
export function row(
  name: string,
  value: string | number | boolean | undefined,
  meaning?: string,
): Row | undefined {
  if (value === undefined) return undefined
  return { name, value: String(value), ...(meaning === undefined ? {} : { meaning }) }
}

/** Runs one reading; what it throws becomes a problem, and undefined is returned. */
export async function attempt<T>(
  report: Report,
  what: string,
  run: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    // Messages of our parsers are sentences of our own, whatever they were given.
    const known = (error as { code?: unknown } | undefined)?.code
    const ours = error instanceof Error && typeof known === 'string' && known.startsWith('ERR_')
    const text = ours ? error.message : 'cannot be read'
    report.problems.push(text.startsWith(`${what}:`) ? text : `${what}: ${text}`)
    return undefined
  }
}

/** All problems of a report and of the documents inside it. */
export function allProblems(report: Report): string[] {
  const inner = report.parts.flatMap((part) => allProblems(part).map((text) => `${part.title}: ${text}`))
  return [...report.problems, ...inner]
}
