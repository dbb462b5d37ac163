/** @module Test sets: tab-separated texts with their references. */

import type { TranslationFormat } from '../protocol/translation.ts'

export interface Sample {
  readonly from: string
  readonly to: string
  readonly format: TranslationFormat
  readonly source: string
  readonly reference: string
}

const formats: readonly string[] = ['text', 'markdown', 'html', 'telegram']

/**
 * Reads a test set. Its first line names the columns: either `from`, `to`, `source`, `reference` and perhaps `format`,
 * or one column for each language (then every line is tried in every direction; other columns are left out). `\n`, `\t`
 * and `\\` stand for a line break, a tab and a backslash.
 * @throws Error naming the line that is wrong
 */
export function readSamples(tsv: string): Sample[] {
  const [head = '', ...lines] = tsv.replace(/\r/g, '').split('\n')
  const columns = head.split('\t').map((name) => name.trim())
  const rows = lines.flatMap((line, index) => (line.trim() === '' ? [] : [rowOf(columns, line, index + 2)]))
  return columns.includes('source') && columns.includes('reference')
    ? rows.map(({ cells, line }) => sampleOf(cells, line))
    : directions(columns, rows)
}

interface Row {
  readonly cells: ReadonlyMap<string, string>
  readonly line: number
}

function rowOf(columns: readonly string[], line: string, number: number): Row {
  const values = line.split('\t')
  if (values.length > columns.length) throw new Error(`line ${number} has more cells than the first line`)
  return {
    cells: new Map(columns.map((name, index) => [name, unescaped(values[index] ?? '')])),
    line: number,
  }
}

function unescaped(cell: string): string {
  return cell.replace(/\\([nt\\])/g, (_, letter) => (letter === 'n' ? '\n' : letter === 't' ? '\t' : '\\'))
}

function sampleOf(cells: ReadonlyMap<string, string>, line: number): Sample {
  const cell = (name: string): string => {
    const value = cells.get(name)
    if (value === undefined || value === '') throw new Error(`line ${line} has no '${name}'`)
    return value
  }
  const format = cells.get('format') || 'text'
  if (!isFormat(format)) throw new Error(`line ${line}: the format is one of ${formats.join(', ')}`)
  return { from: cell('from'), to: cell('to'), format, source: cell('source'), reference: cell('reference') }
}

const isFormat = (name: string): name is TranslationFormat => formats.includes(name)

function directions(columns: readonly string[], rows: readonly Row[]): Sample[] {
  const languages = columns.filter((name) => /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/.test(name))
  if (languages.length < 2) {
    throw new Error("the first line names the columns: 'from', 'to', 'source', 'reference', or languages")
  }
  return rows.flatMap(({ cells }) =>
    languages.flatMap((from) =>
      languages.flatMap((to) => {
        const [source, reference] = [cells.get(from), cells.get(to)]
        return from !== to && source && reference
          ? [{ from, to, format: 'text' as const, source, reference }]
          : []
      }),
    ),
  )
}
