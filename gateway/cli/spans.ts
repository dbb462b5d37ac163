import { ConfigError } from '../../attest/cli/config.ts'

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A span as people type it, in ms: `0`, `45s`, `30m`, `24h`, `7d`. @throws ConfigError */
export function parseSpan(flag: string, text: string): number {
  if (text === '0') return 0
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count !== undefined && unit !== undefined) return Number(count) * UNITS[unit as keyof typeof UNITS]
  throw new ConfigError(`${flag}: expected a span like 45s, 30m, 24h or 7d`)
}

/** A time as people type it, in Unix ms: a span from `now` on, or a date, with or without a time of day (UTC). @throws ConfigError */
export function parseTime(flag: string, text: string, now: number): number {
  const time = /^\d+[smhd]$/.test(text) ? now + parseSpan(flag, text) : parseDate(text)
  if (Number.isNaN(time)) {
    throw new ConfigError(`${flag}: expected a span like 30d, or a date like 2027-01-31 or 2027-01-31T18:00Z`)
  }
  if (time <= now) throw new ConfigError(`${flag}: is over already`)
  return time
}

function parseDate(text: string): number {
  return /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN
}
