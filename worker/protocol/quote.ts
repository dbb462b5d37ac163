/**
 * Prices and the arithmetic of a charge. Prices are nanotons per million tokens; all sums are integers, rounded up
 * once per request. A quote travels as bytes and is named by the hash of those bytes, so nobody re-encodes it.
 */

import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { concat, fromUtf8, utf8 } from '../../attest/bytes.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import { amountSchema, hexSchema, modelIdSchema } from './ids.ts'

const MILLION = 1_000_000n
const QUOTE_LABEL = utf8('chrysalis/quote/1\0')

export const pricesSchema = z.strictObject({
  /** For each prompt token that was computed. */
  prompt: amountSchema,
  /** For each prompt token that came from a prefix cache. */
  cached: amountSchema,
  /** For each visible completion token. */
  completion: amountSchema,
  /** For each reasoning token. */
  reasoning: amountSchema,
})

/** Nanotons per million tokens, as decimal strings. */
export type Prices = z.infer<typeof pricesSchema>

export const quoteSchema = z.strictObject({
  v: z.literal(1),
  model: z.strictObject({ id: modelIdSchema, sha256: hexSchema(32) }),
  /** What the client pays the gateway. */
  client: pricesSchema,
  /** What the gateway pays the worker. */
  worker: pricesSchema,
  /** Charges are rounded up to a multiple of this many nanotons (exact counts fingerprint); at least 1. */
  step: amountSchema.refine((step) => step !== '0', { message: 'must be at least 1' }),
})

/** The price list that one request is served under. */
export type Quote = z.infer<typeof quoteSchema>

/** Tokens of a request in OpenAI's convention: `prompt` includes `cached`, `completion` includes `reasoning`. */
export interface TokenCounts {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  reasoningTokens: number
}

/** A quote that is not one, or counts that contradict themselves. */
export class QuoteError extends ChrysalisError {}

/** The quote's bytes (RFC 8785). */
export function encodeQuote(quote: Quote): Uint8Array {
  return utf8(canonicalize(quoteSchema.parse(quote)) as string)
}

/** Parses quote bytes strictly. @throws QuoteError ERR_QUOTE_MALFORMED */
export function parseQuote(bytes: Uint8Array): Quote {
  try {
    return quoteSchema.parse(JSON.parse(fromUtf8(bytes)))
  } catch (cause) {
    throw new QuoteError(
      'ERR_QUOTE_MALFORMED',
      'the quote is not a JSON document of the quote schema, version 1',
      { cause },
    )
  }
}

/** SHA-256("chrysalis/quote/1" || 00 || quote bytes) in hex: the quote's name in contexts and receipts. */
export function quoteDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(concat(QUOTE_LABEL, bytes)).digest('hex')
}

/**
 * What `counts` cost: the exact sum, rounded up once to whole nanotons and then up to a multiple of `step`.
 * @param step nanotons, at least 1, as a decimal string
 * @returns nanotons
 * @throws QuoteError ERR_COUNTS when a count is negative, fractional, or a part exceeds its whole
 */
export function charge(prices: Prices, counts: TokenCounts, step: string): bigint {
  return roundUp(scaledCost(prices, counts), BigInt(step))
}

/**
 * The most that a request within its bounds can cost a client: every prompt token and every output token at the
 * dearer of its two prices, for `n` choices.
 * @returns nanotons, a multiple of the quote's step
 */
export function boundFor(quote: Quote, maxPromptTokens: number, maxOutputTokens: number, n = 1): bigint {
  const { client } = quote
  const perPrompt = larger(BigInt(client.prompt), BigInt(client.cached))
  const perOutput = larger(BigInt(client.completion), BigInt(client.reasoning))
  const scaled = BigInt(maxPromptTokens) * perPrompt + BigInt(maxOutputTokens) * BigInt(n) * perOutput
  return roundUp(scaled, BigInt(quote.step))
}

/**
 * How many output tokens fit under `maxCharge` nanotons after this prompt, at the dearer of the two output prices.
 * @returns -1 when the prompt alone does not fit; at most Number.MAX_SAFE_INTEGER
 */
export function affordable(
  prices: Prices,
  step: string,
  maxCharge: bigint,
  promptTokens: number,
  cachedTokens: number,
): number {
  const stepSize = BigInt(step)
  const usable = (maxCharge / stepSize) * stepSize * MILLION
  const prompt = scaledCost(prices, { promptTokens, cachedTokens, completionTokens: 0, reasoningTokens: 0 })
  if (prompt > usable) return -1
  const perOutput = larger(BigInt(prices.completion), BigInt(prices.reasoning))
  if (perOutput === 0n) return Number.MAX_SAFE_INTEGER
  const tokens = (usable - prompt) / perOutput
  return tokens > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(tokens)
}

/** The exact cost in millionths of a nanoton. */
function scaledCost(prices: Prices, counts: TokenCounts): bigint {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = counts
  for (const count of [promptTokens, cachedTokens, completionTokens, reasoningTokens]) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new QuoteError('ERR_COUNTS', 'a token count is negative or not a whole number')
    }
  }
  if (cachedTokens > promptTokens) throw new QuoteError('ERR_COUNTS', 'more cached tokens than prompt tokens')
  if (reasoningTokens > completionTokens) {
    throw new QuoteError('ERR_COUNTS', 'more reasoning tokens than completion tokens')
  }
  return (
    BigInt(promptTokens - cachedTokens) * BigInt(prices.prompt) +
    BigInt(cachedTokens) * BigInt(prices.cached) +
    BigInt(completionTokens - reasoningTokens) * BigInt(prices.completion) +
    BigInt(reasoningTokens) * BigInt(prices.reasoning)
  )
}

function roundUp(scaled: bigint, step: bigint): bigint {
  const unit = MILLION * step
  return ((scaled + unit - 1n) / unit) * step
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
