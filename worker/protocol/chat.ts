/** What a worker accepts as a chat completion: every field of OpenAI's API is honoured or refused by name. */

import {
  accepted,
  defaulted,
  defaultOnly,
  type Fields,
  object,
  optional,
  parseFields,
  refused,
  required,
} from './fields.ts'
import { type ChatMessage, messages, textContent } from './messages.ts'
import { modelField } from './model-field.ts'
import { boolean, choice, integer, mapOf, mapped, type Reader, text } from './readers.ts'
import { invalidCombination, unsupportedValue } from './refusals.ts'
import { chatResponseFormat, type ResponseFormat } from './response-format.ts'
import {
  type SamplingRequest,
  type StreamRequest,
  samplingFields,
  samplingOf,
  streamFields,
  streamOf,
} from './sampling.ts'
import {
  type ChatTool,
  chatToolChoice,
  chatTools,
  legacyChoice,
  legacyFunctions,
  resolveChoice,
  type ToolChoice,
} from './tools.ts'

export { CHAT_ROLES, type ChatMessage, type ChatRole, type ChatToolCall } from './messages.ts'
export type { ResponseFormat } from './response-format.ts'
export type { ChatTool, CustomTool, FunctionTool, ToolChoice } from './tools.ts'

/** The most choices of one request, OpenAI's bound. */
export const MAX_CHOICES = 128
/** The longest grammar, in UTF-16 units. */
const MAX_GRAMMAR = 65_536

export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number]

/** A chat completion request, read and filled with OpenAI's defaults. */
export interface ChatRequest extends SamplingRequest, StreamRequest {
  model: string
  messages: ChatMessage[]
  /** From max_completion_tokens or its older name max_tokens; at least 1, for each choice. */
  maxTokens?: number
  /** Answers to make, 1 to 128. */
  n: number
  /** Tell log probabilities, with this many alternatives for each token (0 to 20); absent: none. */
  logprobs?: number
  tools: ChatTool[]
  toolChoice: ToolChoice
  /** An answer may hold several calls. */
  parallelToolCalls: boolean
  /** Tools came as `functions`: calls are answered as `function_call`. */
  legacyFunctions: boolean
  responseFormat: ResponseFormat
  /** GBNF that the answer follows; only with text and without tools. */
  grammar?: string
  /** Absent: as the model does by itself. */
  reasoningEffort?: ReasoningEffort
  /** What the answer will probably be like. */
  prediction?: string
  user?: string
  safetyIdentifier?: string
  promptCacheKey?: string
  /** Requests of one payer with the same partition may share prompt prefixes; absent: no sharing. */
  cachePartition?: string
  /** Returned with the completion. */
  metadata?: Record<string, string>
  /** Whether the response names its service tier, which is always `default`. */
  serviceTier?: 'default'
}

export const metadata = mapOf(text({ max: 64 }), text({ max: 512 }), 16)

// `auto` and `default` are what every request gets; a response names its tier only when the request did.
export const serviceTier: Reader<'default'> = {
  schema: { type: 'string', enum: ['auto', 'default'] },
  read(value, path) {
    if (value === 'auto' || value === 'default') return 'default'
    throw unsupportedValue(path, '"auto" or "default"', 'There is one tier.')
  },
}

export const reasoningEffort = choice(...REASONING_EFFORTS)

/** Who asks, and whose prompts may share a cache: alike in both APIs. */
export const partyFields = {
  user: optional(
    text({ max: 512 }),
    'Deprecated name of the end user. Parts the prompt cache, see `prompt_cache_key`.',
  ),
  safety_identifier: optional(
    text({ max: 128 }),
    'The end user. Parts the prompt cache, see `prompt_cache_key`.',
  ),
  prompt_cache_key: optional(
    text({ max: 512 }),
    'Requests of one account share the cache of a common prefix only if `prompt_cache_key`, `safety_identifier` and `user` are all the same and at least one is given.',
  ),
  metadata: optional(metadata, 'Up to 16 pairs, returned with a whole answer; nothing is stored.'),
  service_tier: optional(serviceTier, 'There is one tier; the answer then names it.'),
  prompt_cache_retention: defaultOnly(['in_memory'], 'Prompts are cached in memory only.'),
}

const prediction: Reader<string> = mapped(
  object({
    type: required(choice('content'), 'Always `content`.'),
    content: required(textContent, 'A string, or text parts.'),
  }),
  ({ content }) => content,
)

/** Every field of OpenAI's CreateChatCompletionRequest, and the extras of other servers that many clients send. */
export const chatFields = {
  model: modelField,
  messages: required(messages, 'The conversation; text only.'),

  max_completion_tokens: optional(integer(1), 'Bound on the tokens of each choice, reasoning included.'),
  max_tokens: optional(integer(1), 'Older name of `max_completion_tokens`; both at once are refused.'),
  n: defaulted(integer(1, MAX_CHOICES), 1, 'Answers to make; the prompt is charged once.'),
  ...samplingFields,
  ...streamFields,
  logprobs: defaulted(boolean, false, "Tell the model's own log probability of each token of the content."),
  top_logprobs: optional(integer(0, 20), 'With `logprobs`: so many of the likeliest alternatives as well.'),

  tools: defaulted(chatTools, [], 'Up to 128 functions and custom tools.'),
  tool_choice: optional(
    chatToolChoice,
    '`none`, `auto`, `required`, one named tool, or `allowed_tools`; what is demanded is forced by a grammar.',
  ),
  parallel_tool_calls: defaulted(boolean, true, 'Whether one answer may hold several calls.'),
  functions: optional(legacyFunctions, 'Deprecated form of `tools`.'),
  function_call: optional(legacyChoice, 'Deprecated form of `tool_choice`.'),
  response_format: defaulted(
    chatResponseFormat,
    { type: 'text' },
    '`text`, `json_object` or `json_schema`; JSON is forced by a grammar.',
  ),
  grammar: optional(
    text({ min: 1, max: MAX_GRAMMAR }),
    'Not of OpenAI: GBNF that the answer follows. Not together with tools or a JSON format.',
  ),
  reasoning_effort: optional(
    reasoningEffort,
    'How much a model that reasons does so; others have nothing to change.',
  ),
  prediction: accepted(
    prediction,
    'A hint for speed that changes no answer: every token is generated either way.',
  ),
  verbosity: defaultOnly(['medium'], 'Models here have no such setting: say it in a message.'),
  modalities: defaultOnly([['text']], 'Text is the only output.'),
  store: defaultOnly([false], 'Nothing is stored.'),

  ...partyFields,
  prompt_cache_options: defaultOnly(
    [{}, { mode: 'implicit' }, { ttl: '30m' }, { mode: 'implicit', ttl: '30m' }],
    'Prefixes are found by themselves and stay as long as the worker has room.',
  ),
  audio: refused('Text is the only output.'),
  web_search_options: refused('Nothing here searches the web.'),
  moderation: refused('Nobody but you and the model reads along.'),
}

/**
 * Reads a chat completion request.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseChatRequest(json: unknown): ChatRequest {
  const fields = parseFields(chatFields, json)
  const stream = streamOf(fields)
  const tools = toolsOf(fields)
  checkCombinations(fields, tools)
  const maxTokens = fields.max_completion_tokens ?? fields.max_tokens
  return {
    model: fields.model,
    messages: fields.messages,
    n: fields.n,
    ...samplingOf(fields),
    ...stream,
    ...tools,
    responseFormat: fields.response_format,
    ...partyOf(fields),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(fields.logprobs && { logprobs: fields.top_logprobs ?? 0 }),
    ...(fields.grammar !== undefined && { grammar: fields.grammar }),
    ...(fields.reasoning_effort !== undefined && { reasoningEffort: fields.reasoning_effort }),
    ...(fields.prediction !== undefined && { prediction: fields.prediction }),
  }
}

type ChatFields = Fields<typeof chatFields>
type Tools = Pick<ChatRequest, 'tools' | 'toolChoice' | 'parallelToolCalls' | 'legacyFunctions'>

function toolsOf(fields: ChatFields): Tools {
  const legacy = fields.functions !== undefined || fields.function_call !== undefined
  if (!legacy) {
    const { tools } = fields
    return {
      tools,
      toolChoice: resolveChoice(fields.tool_choice, tools, 'tool_choice', 'tools'),
      parallelToolCalls: fields.parallel_tool_calls,
      legacyFunctions: false,
    }
  }
  const old = fields.functions === undefined ? 'function_call' : 'functions'
  if (fields.tools.length > 0 || fields.tool_choice !== undefined) {
    throw invalidCombination(
      old,
      `'${old}' is the deprecated form of tools. Give 'tools' and 'tool_choice' alone.`,
    )
  }
  const tools = fields.functions ?? []
  return {
    tools,
    toolChoice: resolveChoice(fields.function_call, tools, 'function_call', 'functions'),
    parallelToolCalls: false,
    legacyFunctions: true,
  }
}

function checkCombinations(fields: ChatFields, { tools, toolChoice }: Tools): void {
  if (fields.max_tokens !== undefined && fields.max_completion_tokens !== undefined) {
    throw invalidCombination(
      'max_tokens',
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    )
  }
  if (fields.top_logprobs && !fields.logprobs) {
    throw invalidCombination(
      'top_logprobs',
      "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
    )
  }
  if (fields.grammar === undefined) return
  const calls = tools.length > 0 && toolChoice.mode !== 'none'
  if (calls || fields.response_format.type !== 'text') {
    throw invalidCombination(
      'grammar',
      "'grammar' cannot be combined with 'tools' or a JSON 'response_format'.",
    )
  }
}

/** The fields of {@link partyFields} as a request has them. */
export function partyOf(
  fields: Fields<typeof partyFields>,
): Pick<
  ChatRequest,
  'user' | 'safetyIdentifier' | 'promptCacheKey' | 'cachePartition' | 'metadata' | 'serviceTier'
> {
  const { user, safety_identifier, prompt_cache_key } = fields
  const partition = cachePartition(prompt_cache_key, safety_identifier, user)
  return {
    ...(user !== undefined && { user }),
    ...(safety_identifier !== undefined && { safetyIdentifier: safety_identifier }),
    ...(prompt_cache_key !== undefined && { promptCacheKey: prompt_cache_key }),
    ...(partition !== undefined && { cachePartition: partition }),
    ...(fields.metadata !== undefined && { metadata: fields.metadata }),
    ...(fields.service_tier !== undefined && { serviceTier: fields.service_tier }),
  }
}

/** One text for the three names that part a prompt cache; distinct triples give distinct texts. */
export function cachePartition(...names: readonly (string | undefined)[]): string | undefined {
  return names.every((name) => name === undefined)
    ? undefined
    : JSON.stringify(names.map((name) => name ?? null))
}
