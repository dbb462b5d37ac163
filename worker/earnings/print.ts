/** Reports of earnings as text, CSV and JSON. */

import { Address } from '@ton/core'
import { formatTon, formatUsd, type UsdRate } from '../../contracts/amount.ts'
import type { TokenCounts } from '../protocol/index.ts'
import type { EarningsReport, ReportBy, ReportSums } from './report.ts'
import type { ChannelAccount } from './store.ts'

const KINDS: readonly (readonly [string, keyof TokenCounts])[] = [
  ['prompt', 'promptTokens'],
  ['cached', 'cachedTokens'],
  ['completion', 'completionTokens'],
  ['reasoning', 'reasoningTokens'],
]

/** A voucher is for a channel, whatever the model: by model there is only what was earned. */
const AMOUNTS = {
  day: ['earned', 'forgiven', 'vouchered', 'settled'],
  model: ['earned', 'forgiven'],
} as const

type Amount = (typeof AMOUNTS)['day'][number]

/** What rows without a name stand for. */
const NAMELESS = { day: 'earlier', model: '(not seen)' } as const

/** A table for a person: TON, with `rate` also what was earned in dollars. */
export function printText(report: EarningsReport, rate?: UsdRate): string {
  const { by, rows, total, channels } = report
  const usd = (sums: ReportSums) => (rate ? [formatUsd(sums.earned, rate)] : [])
  const cells = (name: string, sums: ReportSums) => [
    name,
    ...counts(sums),
    ...amounts(by, sums).map(([, nanotons]) => formatTon(nanotons)),
    ...usd(sums),
  ]
  const head = [
    by,
    'requests',
    ...KINDS.map(([kind]) => kind),
    ...AMOUNTS[by],
    ...(rate ? ['earned USD'] : []),
  ]
  const lines = aligned([
    head,
    ...rows.map((row) => cells(row.name || NAMELESS[by], row)),
    cells('total', total),
  ])
  return `${[
    ...lines,
    '',
    'Amounts are in TON. Cached tokens are a part of prompt, reasoning tokens of completion.',
    `In these days ${formatTon(total.vouchered)} TON were vouched for, and ${formatTon(total.settled)} TON arrived.`,
    ...channels.flatMap(channelLines),
  ].join('\n')}\n`
}

/** Comma-separated, for a spreadsheet: one line of names, then the rows; amounts are whole nanotons. */
export function printCsv({ by, rows }: EarningsReport, rate?: UsdRate): string {
  const head = [
    by,
    'requests',
    ...KINDS.map(([kind]) => `${kind}_tokens`),
    ...AMOUNTS[by].map((amount) => `${amount}_nanotons`),
    ...(rate ? AMOUNTS[by].map((amount) => `${amount}_usd`) : []),
  ]
  const lines = rows.map((row) => [
    row.name || NAMELESS[by],
    ...counts(row),
    ...amounts(by, row).map(([, nanotons]) => String(nanotons)),
    ...(rate ? amounts(by, row).map(([, nanotons]) => formatUsd(nanotons, rate)) : []),
  ])
  return [head, ...lines].map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('')
}

/** One JSON document; amounts are nanotons as decimal strings. */
export function printJson({ by, rows, total, channels }: EarningsReport, rate?: UsdRate): string {
  const sums = (of: ReportBy, row: ReportSums) => ({
    requests: row.requests,
    tokens: Object.fromEntries(KINDS.map(([kind, key]) => [kind, row.tokens[key]])),
    ...Object.fromEntries(amounts(of, row).map(([amount, nanotons]) => [amount, String(nanotons)])),
    ...(rate && {
      usd: Object.fromEntries(amounts(of, row).map(([amount, value]) => [amount, formatUsd(value, rate)])),
    }),
  })
  const document = {
    by,
    rows: rows.map((row) => ({ [by]: row.name || NAMELESS[by], ...sums(by, row) })),
    total: sums('day', total),
    channels: channels.map(({ address, gateway, state, deposited, earned, ceiling, settled, forgiven }) => ({
      ...{ address, gateway, state },
      ...strings({ deposited, earned, vouchered: ceiling, settled, forgiven }),
    })),
  }
  return `${JSON.stringify(document)}\n`
}

function counts({ requests, tokens }: ReportSums): string[] {
  return [requests, ...KINDS.map(([, key]) => tokens[key])].map(String)
}

function amounts(by: ReportBy, sums: ReportSums): (readonly [Amount, bigint])[] {
  return AMOUNTS[by].map((amount) => [amount, sums[amount]] as const)
}

function strings(values: Record<string, bigint>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}

function channelLines({
  address,
  state,
  deposited,
  ceiling,
  settled,
  unsettledSince,
}: ChannelAccount): string[] {
  const waiting = ceiling - settled
  const since =
    waiting > 0n && unsettledSince > 0 ? `, waiting since ${new Date(unsettledSince).toISOString()}` : ''
  return [
    '',
    `channel ${Address.parseRaw(address).toString()} (${state})`,
    `  deposited ${formatTon(deposited).padStart(20)} TON`,
    `  vouchered ${formatTon(ceiling).padStart(20)} TON`,
    `  settled   ${formatTon(settled).padStart(20)} TON${since}`,
  ]
}

/** Columns: names to the left, numbers to the right, a rule above the last line. */
function aligned(table: string[][]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  )
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  const rule = '-'.repeat(Math.max(...lines.map((line) => line.length)))
  return [...lines.slice(0, -1), rule, ...lines.slice(-1)]
}

/** A model's id may hold commas and quotes; one that a spreadsheet would take for a formula is kept a text. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
