/** What a worker accepts as a chat completion: every field of OpenAI's API is honoured or refused by name. */

import { z } from 'zod'
import { invalidRequest } from './errors.ts'
import {
  arrayOf,
  defaultOnly,
  integerFrom,
  invalidChoice,
  invalidType,
  optional,
  type Parser,
  parseFields,
  required,
} from './fields.ts'
import { modelIdSchema } from './ids.ts'

export const CHAT_ROLES = ['developer', 'system', 'user', 'assistant'] as const
export type ChatRole = (typeof CHAT_ROLES)[number]

/** A message whose text parts have been joined by newlines. */
export interface ChatMessage {
  role: ChatRole
  content: string
}

/** A chat completion request, read and filled with OpenAI's defaults. */
export interface ChatRequest {
  model: string
  messages: ChatMessage[]
  /** 0 to 2, default 1. */
  temperature: number
  /** 0 to 1, default 1. */
  topP: number
  /** From max_completion_tokens or its older name max_tokens; at least 1. */
  maxTokens?: number
  /** Up to four texts that end the answer and are not part of it. */
  stop: string[]
  /** A whole number within 64 bits; reduce it to what the engine takes. */
  seed?: number
  /** -2 to 2, default 0. */
  presencePenalty: number
  frequencyPenalty: number
  stream: boolean
  /** One more chunk with the usage, and `usage: null` on every other one. */
  includeUsage: boolean
  /** Pad the streamed events; on unless switched off. */
  includeObfuscation: boolean
  user?: string
  safetyIdentifier?: string
  /** Requests with the same key (of the same payer) may share a prompt cache; absent: no sharing. */
  promptCacheKey?: string
  /** Returned with the completion. */
  metadata?: Record<string, string>
  /** Whether the response names its service tier, which is always `default`. */
  serviceTier?: 'default'
}

const TEXT = z.string()

const textPartFields = {
  type: required(z.literal('text')),
  text: required(TEXT),
  prompt_cache_breakpoint: defaultOnly(),
}

const parsePart: Parser<string> = (value, path) => {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined
  if (typeof type === 'string' && type !== 'text') throw invalidChoice(`${path}.type`, ['text'])
  return parseFields(textPartFields, value, path).text
}

const parseParts = arrayOf(parsePart, 1, 4096)

const parseContent: Parser<string> = (value, path) => {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return parseParts(value, path).join('\n')
  throw invalidType(path, 'one of a string or array of content parts', value)
}

const plainMessageFields = {
  role: required(z.enum(CHAT_ROLES)),
  content: required(parseContent),
  name: defaultOnly(),
}

// What a response held may be sent back as it was: the keys that say "nothing of the kind" pass.
const assistantMessageFields = {
  role: required(z.enum(CHAT_ROLES)),
  content: optional(parseContent),
  name: defaultOnly(),
  refusal: defaultOnly(),
  annotations: defaultOnly([]),
  audio: defaultOnly(),
  tool_calls: defaultOnly([]),
  function_call: defaultOnly(),
}

const parseMessage: Parser<ChatMessage> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidType(path, 'an object', value)
  }
  const role = (value as { role?: unknown }).role
  if (typeof role === 'string' && !(CHAT_ROLES as readonly string[]).includes(role)) {
    throw invalidChoice(`${path}.role`, CHAT_ROLES)
  }
  if (role === 'assistant')
    return { role, content: parseFields(assistantMessageFields, value, path).content ?? '' }
  const message = parseFields(plainMessageFields, value, path)
  return { role: message.role, content: message.content }
}

const stopText = z.string().min(1).max(1024)

const parseStop: Parser<string[]> = (value, path) => {
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw invalidType(path, 'one of a string or array of strings', value)
  }
  return arrayOf(stopText, 0, 4)(Array.isArray(value) ? value : [value], path)
}

const parseSeed: Parser<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw invalidType(path, 'an integer', value)
  if (Math.abs(value) > 2 ** 63)
    throw invalidRequest(path, `Invalid '${path}': it must fit into 64 bits.`, 'invalid_value')
  return value
}

const streamOptionsFields = {
  include_usage: optional(z.boolean()),
  include_obfuscation: optional(z.boolean()),
}

const parseStreamOptions: Parser<{ include_usage?: boolean; include_obfuscation?: boolean }> = (
  value,
  path,
) => parseFields(streamOptionsFields, value, path)

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((map) => Object.keys(map).length <= 16, { message: 'at most 16 pairs are allowed' })

/**
 * Every field of OpenAI's CreateChatCompletionRequest. `defaultOnly` lists, besides null, the values that ask for
 * what happens anyway.
 */
export const chatFields = {
  model: required(modelIdSchema),
  messages: required(arrayOf(parseMessage, 1, 10_000)),

  temperature: optional(z.number().min(0).max(2)),
  top_p: optional(z.number().min(0).max(1)),
  max_completion_tokens: optional(integerFrom(1)),
  max_tokens: optional(integerFrom(1)),
  stop: optional(parseStop),
  seed: optional(parseSeed),
  presence_penalty: optional(z.number().min(-2).max(2)),
  frequency_penalty: optional(z.number().min(-2).max(2)),
  stream: optional(z.boolean()),
  stream_options: optional(parseStreamOptions),
  user: optional(z.string().max(512)),
  safety_identifier: optional(z.string().max(128)),
  prompt_cache_key: optional(z.string().max(512)),
  metadata: optional(metadata),

  n: defaultOnly(1),
  logit_bias: defaultOnly({}),
  logprobs: defaultOnly(false),
  top_logprobs: defaultOnly(0),
  tools: defaultOnly([]),
  tool_choice: defaultOnly('none', 'auto'),
  parallel_tool_calls: defaultOnly(true),
  functions: defaultOnly([]),
  function_call: defaultOnly('none', 'auto'),
  response_format: defaultOnly({ type: 'text' }),
  reasoning_effort: defaultOnly('medium', 'none'),
  verbosity: defaultOnly('medium'),
  modalities: defaultOnly(['text']),
  audio: defaultOnly(),
  prediction: defaultOnly(),
  service_tier: optional(parseServiceTier),
  store: defaultOnly(false),
  prompt_cache_retention: defaultOnly('in_memory'),
  prompt_cache_options: defaultOnly({}, { mode: 'implicit' }),
  web_search_options: defaultOnly(),
  moderation: defaultOnly(),
}

/**
 * Reads a chat completion request.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseChatRequest(json: unknown): ChatRequest {
  const fields = parseFields(chatFields, json)
  const stream = fields.stream ?? false
  if (fields.stream_options !== undefined && !stream) {
    throw invalidRequest(
      'stream_options',
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      'invalid_parameter_combination',
    )
  }
  if (fields.max_tokens !== undefined && fields.max_completion_tokens !== undefined) {
    throw invalidRequest(
      'max_tokens',
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      'invalid_parameter_combination',
    )
  }
  const maxTokens = fields.max_completion_tokens ?? fields.max_tokens
  return {
    model: fields.model,
    messages: fields.messages,
    temperature: fields.temperature ?? 1,
    topP: fields.top_p ?? 1,
    stop: fields.stop ?? [],
    presencePenalty: fields.presence_penalty ?? 0,
    frequencyPenalty: fields.frequency_penalty ?? 0,
    stream,
    includeUsage: fields.stream_options?.include_usage ?? false,
    includeObfuscation: fields.stream_options?.include_obfuscation ?? true,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(fields.seed !== undefined && { seed: fields.seed }),
    ...(fields.user !== undefined && { user: fields.user }),
    ...(fields.safety_identifier !== undefined && { safetyIdentifier: fields.safety_identifier }),
    ...(fields.prompt_cache_key !== undefined && { promptCacheKey: fields.prompt_cache_key }),
    ...(fields.metadata !== undefined && { metadata: fields.metadata }),
    ...(fields.service_tier !== undefined && { serviceTier: fields.service_tier }),
  }
}

// `auto` and `default` are what every request gets; a response names its tier only when the request did.
function parseServiceTier(value: unknown, path: string): 'default' {
  if (value === 'auto' || value === 'default') return 'default'
  throw invalidRequest(
    path,
    `Unsupported value: '${path}' does not support this value with this model. Only the default ("auto" or "default") value is supported.`,
    'unsupported_value',
  )
}
