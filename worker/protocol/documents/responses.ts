/** Documents of `POST /v1/responses`. */

import type { JsonSchema } from '../readers.ts'
import {
  about,
  anyMap,
  anyOf,
  bool,
  count,
  list,
  literal,
  named,
  nothing,
  nullable,
  obfuscation,
  record,
  seconds,
  string,
} from './schema.ts'
import { tokenLogprobSchema } from './shared.ts'

const noAnnotations = { type: 'array', maxItems: 0 }
const logprobs = list(tokenLogprobSchema)

const outputText = record({
  type: literal('output_text'),
  text: string,
  annotations: noAnnotations,
  logprobs,
})
const reasoningText = record({ type: literal('reasoning_text'), text: string })
const part = anyOf(outputText, reasoningText)

const status = literal('in_progress', 'completed', 'incomplete')

const item = named(
  'OutputItem',
  anyOf(
    record({
      id: string,
      type: literal('message'),
      role: literal('assistant'),
      status,
      content: list(outputText),
    }),
    record({
      id: string,
      type: literal('reasoning'),
      summary: about({ type: 'array', maxItems: 0 }, 'Reasoning is told in full.'),
      content: list(reasoningText),
      status,
    }),
    record({
      id: string,
      type: literal('function_call'),
      call_id: string,
      name: string,
      arguments: string,
      status,
    }),
    record(
      { id: string, type: literal('custom_tool_call'), call_id: string, name: string, input: string },
      { status },
    ),
  ),
)

const usage = record({
  input_tokens: count,
  input_tokens_details: record({ cached_tokens: count, cache_write_tokens: count }),
  output_tokens: about(count, 'Reasoning included.'),
  output_tokens_details: record({ reasoning_tokens: count }),
  total_tokens: count,
})

/** The members that repeat the request: `ResponsesEcho`. */
const echo = {
  instructions: nullable(string),
  metadata: { type: 'object', additionalProperties: string },
  tools: list(anyMap),
  tool_choice: anyOf(string, anyMap),
  parallel_tool_calls: bool,
  temperature: { type: 'number' },
  top_p: { type: 'number' },
  max_output_tokens: nullable(count),
  max_tool_calls: nullable(count),
  top_logprobs: count,
  text: record({ format: anyMap, verbosity: literal('medium') }),
  reasoning: record({ effort: nullable(string), summary: nullable(string) }),
  truncation: literal('disabled'),
  store: { const: false },
  background: { const: false },
  previous_response_id: nothing,
  prompt_cache_key: nullable(string),
  safety_identifier: nullable(string),
  user: nullable(string),
  access_programs: nothing,
} satisfies Record<string, JsonSchema>

export const responseSchema = named(
  'Response',
  record(
    {
      id: about(string, '`resp_` and the id of the request.'),
      object: literal('response'),
      created_at: seconds,
      status: literal('in_progress', 'completed', 'incomplete', 'failed'),
      error: nullable(record({ code: string, message: string })),
      incomplete_details: about(
        nullable(record({ reason: literal('max_output_tokens') })),
        'Why a response is incomplete.',
      ),
      model: string,
      output: list(item),
      usage: nullable(usage),
      ...echo,
    },
    { completed_at: seconds, service_tier: literal('default') },
  ),
)

const place = { item_id: string, output_index: count }
const textPlace = { ...place, content_index: count }

function event(
  type: string,
  members: Record<string, JsonSchema>,
  optional: Record<string, JsonSchema> = {},
): JsonSchema {
  const number = about(count, 'Counts the events of a stream from 0.')
  return record({ type: literal(type), sequence_number: number, ...members }, { ...optional, obfuscation })
}

/** The events of a stream, in the order in which they can come. */
export const responseEventSchema = named(
  'ResponseEvent',
  anyOf(
    event('response.created', { response: responseSchema }),
    event('response.in_progress', { response: responseSchema }),
    event('response.output_item.added', { output_index: count, item }),
    event('response.content_part.added', { ...textPlace, part }),
    event('response.reasoning_text.delta', { ...textPlace, delta: string }),
    event('response.reasoning_text.done', { ...textPlace, text: string }),
    event('response.output_text.delta', { ...textPlace, delta: string, logprobs }),
    event('response.output_text.done', { ...textPlace, text: string, logprobs }),
    event('response.content_part.done', { ...textPlace, part }),
    event('response.function_call_arguments.delta', { ...place, delta: string }),
    event('response.function_call_arguments.done', { ...place, arguments: string }, { name: string }),
    event('response.custom_tool_call_input.delta', { ...place, delta: string }),
    event('response.custom_tool_call_input.done', { ...place, input: string }),
    event('response.output_item.done', { output_index: count, item }),
    event('response.completed', { response: responseSchema }),
    event('response.incomplete', { response: responseSchema }),
    event('response.failed', { response: responseSchema }),
    event('error', { message: string, code: nullable(string), param: nullable(string) }),
  ),
)
