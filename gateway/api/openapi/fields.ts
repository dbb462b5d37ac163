/** The tables of `gateway/README.md`: every field of every request and what we do with it. */

import type { Field } from '../../../worker/protocol/fields.ts'
import { inferenceOperations } from './inference.ts'
import type { Operation } from './operation.ts'

const BEGIN = '<!-- fields: made by `npm run docs` -->'
const END = '<!-- /fields -->'

const MARKS: Readonly<Record<Field['handling'], string>> = {
  honoured: 'honoured',
  accepted: 'accepted',
  'default-only': 'default only',
  refused: 'refused',
}

/**
 * A page with its tables made anew.
 * @throws Error when the page has no place for them
 */
export function withFieldTables(page: string): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${inferenceOperations.map(table).join('\n')}\n${page.slice(end)}`
}

function table({ path, request }: Operation): string {
  const rows = Object.entries(request?.table ?? {}).map(row)
  return `#### \`POST ${path}\`\n\n| field | | default | |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`
}

function row([name, field]: [string, Field]): string {
  const { handling, presence, about } = field
  const mark = presence === 'required' ? 'required' : MARKS[handling]
  return `| \`${name}\` | ${mark} | ${defaults(field)} | ${about.replaceAll('|', '\\|')} |`
}

/** What passes besides null where only that passes; elsewhere the value of a field that is absent, where it is plain. */
function defaults({ handling, reader, fallback }: Field): string {
  const values = handling === 'default-only' ? (reader.schema.enum as unknown[]) : [fallback]
  return values
    .filter((value) => value !== undefined && (handling === 'default-only' || typeof value !== 'object'))
    .map((value) => `\`${JSON.stringify(value)}\``)
    .join(' ')
}
