/** What a reply of toncenter's means: pure, so that every way of failing can be tried. */

import { ContractsError } from '../../errors.ts'

/** One HTTP reply as it came. */
export interface RawReply {
  status: number
  /** The header Retry-After, if any. */
  retryAfter: string | null
  text: string
}

export type Outcome =
  | { data: unknown }
  /** `retry`: the same request may succeed later, but not before `waitMs` milliseconds have passed. */
  | { error: ContractsError; retry: boolean; waitMs: number }

/** Longest pause that Retry-After is believed for: ten minutes. */
const MAX_RETRY_AFTER_MS = 600_000

/** @returns milliseconds; 0 for a header that is absent or neither seconds nor an HTTP date */
export function parseRetryAfter(header: string | null, nowMs: number): number {
  if (header === null) return 0
  const text = header.trim()
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), MAX_RETRY_AFTER_MS) : 0
}

/** Numbers that lost digits would be compared, and believed, wrongly: both providers round alike. */
function exactNumber(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new RangeError('a number with more digits than are kept')
  }
  return value
}

function parse(text: string): { ok?: unknown; code?: unknown; error?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text, exactNumber)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function failure(code: string, message: string, retry: boolean, waitMs = 0): Outcome {
  return { error: new ContractsError(code, message), retry, waitMs }
}

/**
 * Reads one reply. Text of the provider's never becomes part of an error, as it may hold anything, our key included.
 * @param provider name for error messages
 */
export function interpret(provider: string, reply: RawReply, nowMs: number): Outcome {
  const { status } = reply
  const body = parse(reply.text)
  if (status === 200 && body?.ok === true) return { data: body }
  const code = typeof body?.code === 'number' && body.ok === false ? body.code : status
  if (status === 429 || code === 429) {
    const message = `${provider}: too many requests; ask less often, or with an API key of a higher rate`
    return failure('ERR_CHAIN_RATE_LIMITED', message, true, parseRetryAfter(reply.retryAfter, nowMs))
  }
  if (status === 401 || status === 403) {
    return failure('ERR_CHAIN_UNAUTHORIZED', `${provider}: apiKey: refused (status ${status})`, false)
  }
  const text = typeof body?.error === 'string' ? body.error : ''
  // The node's verdict on a message comes as an error 500 or 400, like an outage: only its text tells them apart.
  if (/cannot apply external message|external message was not accepted/i.test(text)) {
    const exit = /exitcode=(-?\d{1,10})\b/.exec(text)?.[1]
    const suffix = exit === undefined ? '' : ` (exit code ${exit})`
    return failure('ERR_CHAIN_REJECTED', `the account did not accept the message${suffix}`, false)
  }
  if (status >= 500 || code >= 500) {
    const message = `${provider}: status ${code}`
    return failure('ERR_CHAIN_UNREACHABLE', message, true, parseRetryAfter(reply.retryAfter, nowMs))
  }
  if (status === 200)
    return failure('ERR_CHAIN_REPLY', `${provider}: the reply is not whole, or not toncenter's`, true)
  return failure(
    'ERR_CHAIN_REQUEST',
    `${provider}: status ${status}; is the endpoint a toncenter v2 one?`,
    false,
  )
}
