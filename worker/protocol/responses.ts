/** POST /v1/responses: what a worker accepts. A response is run as a chat completion; nothing of it is stored. */

import { type ChatRequest, partyFields, partyOf, reasoningEffort } from './chat.ts'
import { invalidRequest } from './errors.ts'
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
import { toolName } from './messages.ts'
import { modelField } from './model-field.ts'
import {
  arrayOf,
  boolean,
  choice,
  integer,
  isObject,
  mapped,
  number,
  type Reader,
  tagged,
  text,
  textOr,
  titled,
} from './readers.ts'
import { jsonObject, type ResponseFormat, schemaFields, textOnly } from './response-format.ts'
import { responsesInput } from './responses-input.ts'
import { streamOptionsAlone } from './sampling.ts'
import {
  type ChatTool,
  checkTools,
  customFields,
  forced,
  functionFields,
  MAX_TOOLS,
  plainChoice,
  regexFields,
  resolveChoice,
  type ToolChoice,
  textFormat,
} from './tools.ts'

/** A request for a response, read and filled with OpenAI's defaults. */
export interface ResponsesRequest {
  /** The same asked as a chat completion: this is what is run. */
  chat: ChatRequest
  /** The members of the response's document that repeat the request. */
  echo: ResponsesEcho
}

/** What a response says of its request. */
export interface ResponsesEcho {
  instructions: string | null
  metadata: Record<string, string>
  tools: readonly object[]
  tool_choice: unknown
  parallel_tool_calls: boolean
  temperature: number
  top_p: number
  max_output_tokens: number | null
  max_tool_calls: number | null
  top_logprobs: number
  text: { format: object; verbosity: 'medium' }
  reasoning: { effort: string | null; summary: string | null }
  truncation: 'disabled'
  store: false
  background: false
  previous_response_id: null
  prompt_cache_key: string | null
  safety_identifier: string | null
  user: string | null
  access_programs: null
  service_tier?: 'default'
}

const schemaFormat: Reader<ResponseFormat> = object({
  type: required(choice('json_schema'), 'JSON of a schema.'),
  ...schemaFields,
})

const textConfig = object({
  format: defaulted(
    tagged('type', {
      text: textOnly,
      json_object: jsonObject,
      json_schema: schemaFormat,
    }) as Reader<ResponseFormat>,
    { type: 'text' },
    '`text`, `json_object` or `json_schema`; JSON is forced by a grammar.',
  ),
  verbosity: defaultOnly(['medium'], 'Models here have no such setting: say it in a message.'),
})

const reasoningConfig = object({
  effort: optional(reasoningEffort, 'How much a model that reasons does so; others have nothing to change.'),
  summary: accepted(
    choice('auto', 'concise', 'detailed'),
    'Reasoning is returned in full, not as a summary.',
  ),
  generate_summary: accepted(choice('auto', 'concise', 'detailed'), 'Deprecated name of `summary`.'),
  context: defaultOnly(['auto'], 'Earlier reasoning is left out of the prompt.'),
  mode: defaultOnly(['standard'], 'There is one mode.'),
})

/** Members of a tool that only OpenAI's hosted programs use. */
const hosted = {
  allowed_callers: defaultOnly([['direct']], 'Only the model calls.'),
  async: defaultOnly([false], 'Results come in the order of calls.'),
  defer_loading: defaultOnly([false], 'All tools are in the prompt.'),
}

const functionTool: Reader<ChatTool> = object({
  type: required(choice('function'), 'A function; hosted tools are refused.'),
  ...functionFields,
  output_schema: refused('The model reads the description.'),
  ...hosted,
})

const grammarFormat = object({ type: required(choice('grammar'), 'Text of a grammar.'), ...regexFields })

const customTool: Reader<ChatTool> = object({
  type: required(choice('custom'), 'A tool whose input is plain text.'),
  ...customFields,
  format: defaulted(
    tagged('type', { text: textFormat, grammar: grammarFormat }),
    { type: 'text' },
    'What its input looks like.',
  ),
  ...hosted,
})

const tools: Reader<ChatTool[]> = mapped(
  arrayOf(
    titled('ResponseTool', tagged('type', { function: functionTool, custom: customTool })),
    0,
    MAX_TOOLS,
  ),
  checkTools,
)

function named<T extends string>(type: T): Reader<string> {
  const reader = object({
    type: required(choice(type), 'One tool.'),
    name: required(toolName, 'A tool of the request.'),
  })
  return mapped(reader, ({ name }) => name)
}

const namedTools = { function: named('function'), custom: named('custom') }

const allowedTools: Reader<ToolChoice> = mapped(
  object({
    type: required(choice('allowed_tools'), 'Only some tools.'),
    mode: required(choice('auto', 'required'), 'Whether one of them must be called.'),
    tools: required(arrayOf(tagged('type', namedTools), 1, MAX_TOOLS), 'Those tools.'),
  }),
  ({ mode, tools: names }) => ({ mode, names }),
)

const toolChoice: Reader<ToolChoice> = titled(
  'ResponseToolChoice',
  textOr(
    plainChoice,
    tagged('type', {
      function: mapped(namedTools.function, forced),
      custom: mapped(namedTools.custom, forced),
      allowed_tools: allowedTools,
    }),
    "one of 'none', 'auto', 'required' or an object",
    isObject,
  ),
)

const LOGPROBS = 'message.output_text.logprobs'

/** The fields that a response and the counting of its tokens share. */
export const promptFields = {
  model: modelField,
  input: required(responsesInput, 'A text, or items: messages, calls, their results, reasoning sent back.'),
  instructions: optional(text(), 'A system message before the input.'),
  tools: defaulted(tools, [], 'Up to 128 functions and custom tools; hosted tools are refused.'),
  tool_choice: optional(toolChoice, '`none`, `auto`, `required`, one named tool, or `allowed_tools`.'),
  parallel_tool_calls: defaulted(boolean, true, 'Whether one answer may hold several calls.'),
  text: optional(textConfig, 'The form of the answer.'),
  reasoning: optional(reasoningConfig, 'How a model that reasons does so.'),
  truncation: defaultOnly(['disabled'], 'A prompt that is too long is refused, never cut in silence.'),
  previous_response_id: refused('Nothing is stored: send the items of the conversation.'),
  conversation: refused('Nothing is stored: send the items of the conversation.'),
}

/** Every field of OpenAI's CreateResponse. */
export const responsesFields = {
  ...promptFields,
  max_output_tokens: optional(integer(1), 'Bound on the tokens of the answer, reasoning included.'),
  temperature: defaulted(number(0, 2), 1, 'Higher is more random; 0 always takes the likeliest token.'),
  top_p: defaulted(number(0, 1), 1, 'Only the likeliest tokens that together have this probability.'),
  top_logprobs: optional(integer(0, 20), 'Tell log probabilities, with so many alternatives for each token.'),
  include: defaulted(
    arrayOf(choice(LOGPROBS, 'reasoning.encrypted_content'), 0, 8),
    [],
    'Log probabilities; `reasoning.encrypted_content` is accepted, reasoning being in the clear inside the sealed answer.',
  ),
  stream: defaulted(boolean, false, 'Server-sent events, each with its `type` and `sequence_number`.'),
  stream_options: optional(
    object({
      include_obfuscation: defaulted(
        boolean,
        true,
        'Pad each event to one of few sizes, so that its length does not tell the text.',
      ),
    }),
    'Only together with `stream: true`.',
  ),
  max_tool_calls: accepted(integer(1), 'Bounds calls of hosted tools, which there are none of.'),
  ...partyFields,
  store: defaultOnly([false], 'Nothing is stored, also by default; `true` is refused.'),
  background: defaultOnly([false], 'An answer is made while you wait for it.'),
  prompt_cache_options: defaultOnly(
    [{}, { mode: 'implicit' }, { ttl: '30m' }, { mode: 'implicit', ttl: '30m' }],
    'Prefixes are found by themselves and stay as long as the worker has room.',
  ),
  prompt: refused('Nothing is stored: send the prompt itself.'),
  context_management: refused('A prompt is never changed.'),
  image: refused('Text is the only input.'),
  moderation: refused('Nobody but you and the model reads along.'),
  access_programs: refused('A program of OpenAI.'),
}

/**
 * Reads a request for a response.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseResponsesRequest(json: unknown): ResponsesRequest {
  const fields = parseFields(responsesFields, json)
  if (fields.stream_options && !fields.stream) throw streamOptionsAlone()
  const { max_output_tokens: maxTokens, top_logprobs: alternatives } = fields
  const logprobs = alternatives || fields.include.includes(LOGPROBS) ? (alternatives ?? 0) : undefined
  const chat: ChatRequest = {
    ...promptOf(fields),
    temperature: fields.temperature,
    topP: fields.top_p,
    stream: fields.stream,
    includeObfuscation: fields.stream_options?.include_obfuscation ?? true,
    ...partyOf(fields),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(logprobs !== undefined && { logprobs }),
  }
  const asked = isObject(json) ? json.tool_choice : undefined
  return { chat, echo: echoOf(fields, chat, asked ?? 'auto') }
}

/** What of a chat is told by the fields that make its prompt; the rest at its defaults. */
export function promptOf(fields: Fields<typeof promptFields>): ChatRequest {
  const { tools: known, input, instructions } = fields
  const effort = fields.reasoning?.effort
  if (input.length === 0) {
    throw invalidRequest(
      'input',
      "Invalid 'input': it holds no message. Reasoning alone cannot be answered.",
      'invalid_value',
    )
  }
  return {
    model: fields.model,
    messages: instructions === undefined ? input : [{ role: 'system', content: instructions }, ...input],
    n: 1,
    temperature: 1,
    topP: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    stop: [],
    stream: false,
    includeUsage: false,
    includeObfuscation: true,
    tools: known,
    toolChoice: resolveChoice(fields.tool_choice, known, 'tool_choice', 'tools'),
    parallelToolCalls: fields.parallel_tool_calls,
    legacyFunctions: false,
    responseFormat: fields.text?.format ?? { type: 'text' },
    ...(effort !== undefined && { reasoningEffort: effort }),
  }
}

function echoOf(
  fields: Fields<typeof responsesFields>,
  chat: ChatRequest,
  toolChoice: unknown,
): ResponsesEcho {
  const { reasoning } = fields
  return {
    instructions: fields.instructions ?? null,
    metadata: fields.metadata ?? {},
    tools: chat.tools.map(echoTool),
    tool_choice: toolChoice,
    parallel_tool_calls: chat.parallelToolCalls,
    temperature: chat.temperature,
    top_p: chat.topP,
    max_output_tokens: fields.max_output_tokens ?? null,
    max_tool_calls: fields.max_tool_calls ?? null,
    top_logprobs: fields.top_logprobs ?? 0,
    text: { format: chat.responseFormat, verbosity: 'medium' },
    reasoning: {
      effort: reasoning?.effort ?? null,
      summary: reasoning?.summary ?? reasoning?.generate_summary ?? null,
    },
    truncation: 'disabled',
    store: false,
    background: false,
    previous_response_id: null,
    prompt_cache_key: chat.promptCacheKey ?? null,
    safety_identifier: chat.safetyIdentifier ?? null,
    user: chat.user ?? null,
    access_programs: null,
    ...(chat.serviceTier && { service_tier: chat.serviceTier }),
  }
}

/** A function's parameters and strictness are always told, as OpenAI does. */
function echoTool(tool: ChatTool): object {
  return tool.type === 'function' ? { ...tool, parameters: tool.parameters ?? null } : tool
}
