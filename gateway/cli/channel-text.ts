/** A payment's view in a terminal. */

import { wrapped } from '../../attest/cli/command.ts'
import { friendlyAddress } from '../../contracts/index.ts'
import { type PaymentView, type PriceTable, terminalQr, tonkeeperLink, tonLink } from '../fund/index.ts'

export interface TextOptions {
  /** Width of the terminal; 0 where there is none. */
  columns: number
  /** Address of the page, where there is one. */
  page?: string | undefined
}

/** What to pay and how, and what it means. */
export function describeView(view: PaymentView, { columns, page }: TextOptions): string {
  const { order, title, gateway, rows, total, prices, meaning } = view
  const { to, from, globalId, expires } = order
  const link = tonLink(order)
  const names = Math.max(...rows.map(({ name }) => name.length))
  return [
    `${title}: ${friendlyAddress(to, globalId)}`,
    `  to the gateway ${gateway}`,
    ...rows.map(
      ({ name, amount, note }) =>
        `  ${name.padEnd(names)}  ${amount}${note === undefined ? '' : `; ${note}`}`,
    ),
    '',
    ...(prices ? [describePrices(prices), ''] : []),
    `Send ${total} from your wallet ${friendlyAddress(from, globalId, false)}`,
    `until ${new Date(expires * 1000).toISOString()}, by one of these:`,
    '',
    ...(page === undefined ? code(link, columns) : [`page       ${page}`, '']),
    `wallet     ${link}`,
    '',
    `Tonkeeper  ${tonkeeperLink(order)}`,
    '',
    ...meaning.flatMap((paragraph) => [wrapped(paragraph), '']),
    'Waiting until the chain shows it …',
  ].join('\n')
}

/** Prices with their columns aligned. */
export function describePrices({ unit, columns, rows }: PriceTable): string {
  const all = [columns, ...rows]
  const widths = columns.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
  return [`Prices, ${unit}`, ...all.map((row) => `  ${line(row)}`)].join('\n')
}

function code(link: string, columns: number): string[] {
  const drawn = terminalQr(link, columns)
  if (drawn !== undefined) return [drawn, '']
  if (columns === 0) return []
  return [
    `(The terminal is too narrow for a QR code of ${link.length} characters: make it wider, or say --page or --qr FILE.svg.)`,
    '',
  ]
}
