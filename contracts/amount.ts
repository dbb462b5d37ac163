/** Amounts as people read and write them. Inside the programs an amount is always a bigint of nanotons. */

import { ContractsError } from './errors.ts'

/** Nanotons in one TON. */
export const NANO = 1_000_000_000n

/** Digits after the point of an amount in dollars: a request may cost less than a cent by far. */
const USD_DIGITS = 6

/** TON with all nine decimals, so that columns line up and nothing is rounded away: `1.500000000`. */
export function formatTon(nanotons: bigint): string {
  return decimal(nanotons, 9)
}

/**
 * Nanotons from an amount of TON as a person types it: `12`, `0.5`; at most nine decimals.
 * @throws ContractsError ERR_AMOUNT
 */
export function parseTon(text: string): bigint {
  return parseDecimal(text, 9, 'amount', 'an amount of TON, for example 2.5, with at most nine decimals')
}

/** Dollars for one TON, exactly as it was given. */
export interface UsdRate {
  /** Millionths of a dollar for one TON. */
  readonly micros: bigint
}

/**
 * A rate that the user gives; it is never fetched from anywhere.
 * @throws ContractsError ERR_AMOUNT
 */
export function parseUsdRate(text: string): UsdRate {
  const expected = 'dollars for one TON, for example 3.21, above 0 and with at most six decimals'
  const micros = parseDecimal(text, USD_DIGITS, 'rate', expected)
  if (micros === 0n) throw new ContractsError('ERR_AMOUNT', `rate: expected ${expected}`)
  return { micros }
}

/** Dollars with six decimals, rounded half away from zero. */
export function formatUsd(nanotons: bigint, { micros }: UsdRate): string {
  const product = nanotons * micros
  const half = product < 0n ? -NANO / 2n : NANO / 2n
  return decimal((product + half) / NANO, USD_DIGITS)
}

/** The least of some amounts. */
export function least(first: bigint, ...rest: bigint[]): bigint {
  // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
  return rest.reduce((a, b) => (b < a ? b : a), first)
}

/** The larger of two amounts. */
export function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function decimal(value: bigint, digits: number): string {
  const sign = value < 0n ? '-' : ''
  const text = String(value < 0n ? -value : value).padStart(digits + 1, '0')
  return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`
}

function parseDecimal(text: string, digits: number, field: string, expected: string): bigint {
  const [, whole, fraction = ''] = /^(\d{1,18})(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined || fraction.length > digits) {
    throw new ContractsError('ERR_AMOUNT', `${field}: expected ${expected}`)
  }
  return BigInt(whole + fraction.padEnd(digits, '0'))
}
