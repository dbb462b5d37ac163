/** The fields that chat and text completions share: how tokens are chosen, when an answer ends, how it is streamed. */

import { invalidRequest } from './errors.ts'
import { defaulted, type Fields, object, optional } from './fields.ts'
import { arrayOf, boolean, integer, mapOf, mapped, number, type Reader, text, textOr } from './readers.ts'
import { invalidCombination, invalidType } from './refusals.ts'

/** How tokens are chosen, read and filled with OpenAI's defaults. */
export interface SamplingRequest {
  /** 0 to 2, default 1; 0 is greedy. */
  temperature: number
  /** 0 to 1, default 1. */
  topP: number
  /** -2 to 2, default 0. */
  presencePenalty: number
  frequencyPenalty: number
  /** A whole number within 64 bits; reduce it to what the engine takes. Choice `i` of several uses `seed + i`. */
  seed?: number
  /** Up to four texts that end the answer and are not part of it. */
  stop: string[]
  /** Token ids and what is added to their logits, -100 (never) to 100. */
  logitBias?: [token: number, bias: number][]
  /** Only the likeliest so many tokens; 0 or absent: all. */
  topK?: number
  /** Only tokens at least this likely relative to the likeliest, 0 to 1; absent: all. */
  minP?: number
  /** Divides the logits of tokens that were there already; 1 or absent: no change. */
  repeatPenalty?: number
}

/** How an answer is streamed. */
export interface StreamRequest {
  stream: boolean
  /** One more chunk with the usage, and `usage: null` on every other one. */
  includeUsage: boolean
  /** Pad the streamed events; on unless switched off. */
  includeObfuscation: boolean
}

const seed: Reader<number> = {
  schema: { type: 'integer', minimum: -(2 ** 63), maximum: 2 ** 63 },
  read(value, path) {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw invalidType(path, 'an integer', value)
    if (Math.abs(value) <= 2 ** 63) return value
    throw invalidRequest(path, `Invalid '${path}': it must fit into 64 bits.`, 'invalid_value')
  },
}

const stopText = text({ min: 1, max: 1024 })

const stop: Reader<string[]> = mapped(
  textOr(stopText, arrayOf(stopText, 0, 4), 'one of a string or array of strings'),
  (value) => (typeof value === 'string' ? [value] : value),
)

const tokenId = text({ pattern: /^(0|[1-9][0-9]{0,9})$/, expected: 'a token id as its key' })

const logitBias: Reader<[number, number][]> = mapped(mapOf(tokenId, number(-100, 100), 1024), (map) =>
  Object.entries(map).map(([token, bias]) => [Number(token), bias]),
)

export const samplingFields = {
  temperature: defaulted(number(0, 2), 1, 'Higher is more random; 0 always takes the likeliest token.'),
  top_p: defaulted(number(0, 1), 1, 'Only the likeliest tokens that together have this probability.'),
  presence_penalty: defaulted(number(-2, 2), 0, 'Lowers the logit of every token that was written before.'),
  frequency_penalty: defaulted(number(-2, 2), 0, 'Lowers the logit of a token by how often it was written.'),
  seed: optional(
    seed,
    'The same seed, request and worker give the same answer. Choice `i` of several uses `seed + i`.',
  ),
  stop: defaulted(stop, [], 'Up to 4 texts that end the answer; they are not part of it.'),
  logit_bias: optional(
    logitBias,
    'Added to the logits of these token ids, -100 (never) to 100; 1,024 entries at most.',
  ),
  top_k: optional(integer(0, 0x7fff_ffff), 'Not of OpenAI: only the likeliest so many tokens; 0 is all.'),
  min_p: optional(
    number(0, 1),
    'Not of OpenAI: only tokens at least this likely relative to the likeliest; 0 is all.',
  ),
  repeat_penalty: optional(
    number(0.1, 10),
    'Not of OpenAI: divides the logits of tokens that were there already; 1 changes nothing.',
  ),
}

/** The sampling part of a request that was read by a table with {@link samplingFields}. */
export function samplingOf(fields: Fields<typeof samplingFields>): SamplingRequest {
  return {
    temperature: fields.temperature,
    topP: fields.top_p,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    stop: fields.stop,
    ...(fields.seed !== undefined && { seed: fields.seed }),
    ...(fields.logit_bias !== undefined && { logitBias: fields.logit_bias }),
    ...(fields.top_k !== undefined && { topK: fields.top_k }),
    ...(fields.min_p !== undefined && { minP: fields.min_p }),
    ...(fields.repeat_penalty !== undefined && { repeatPenalty: fields.repeat_penalty }),
  }
}

const streamOptions = object({
  include_usage: defaulted(
    boolean,
    false,
    'One more chunk with the usage before `[DONE]`, and `usage: null` on every other.',
  ),
  include_obfuscation: defaulted(
    boolean,
    true,
    'Pad each event to one of few sizes, so that its length does not tell the text.',
  ),
})

export const streamFields = {
  stream: defaulted(boolean, false, 'Server-sent events, a piece of the answer each, then `data: [DONE]`.'),
  stream_options: optional(streamOptions, 'Only together with `stream: true`.'),
}

/** The streaming part of a request. @throws ApiError 400 for `stream_options` without `stream` */
export function streamOf({ stream, stream_options }: Fields<typeof streamFields>): StreamRequest {
  if (stream_options && !stream) throw streamOptionsAlone()
  return {
    stream,
    includeUsage: stream_options?.include_usage ?? false,
    includeObfuscation: stream_options?.include_obfuscation ?? true,
  }
}

/** 400 for options of a stream that was not asked for. */
export function streamOptionsAlone() {
  return invalidCombination(
    'stream_options',
    "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
  )
}
