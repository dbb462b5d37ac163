/** Documents of `POST /v1/chat/completions`. */

import {
  about,
  anyOf,
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
import { choiceLogprobsSchema, usageSchema } from './shared.ts'

const FINISH_REASONS = ['stop', 'length', 'tool_calls', 'function_call'] as const

const functionCall = record({ name: string, arguments: about(string, 'JSON text, as the model wrote it.') })

const toolCall = named(
  'ToolCall',
  anyOf(
    record({ id: string, type: literal('function'), function: functionCall }),
    record({ id: string, type: literal('custom'), custom: record({ name: string, input: string }) }),
  ),
)

const reasoning = about(string, "The model's reasoning, where it reasons; not of OpenAI.")

const message = record(
  {
    role: literal('assistant'),
    content: about(nullable(string), 'Null when there are only calls.'),
    refusal: nothing,
    annotations: { type: 'array', maxItems: 0 },
  },
  {
    reasoning_content: reasoning,
    tool_calls: list(toolCall),
    function_call: about(functionCall, 'Deprecated: the answer to `functions`.'),
  },
)

const head = { id: about(string, '`chatcmpl-` and the id of the request.'), created: seconds, model: string }
const tier = { service_tier: about(literal('default'), 'Only where the request named one.') }

export const chatCompletionSchema = named(
  'ChatCompletion',
  record(
    {
      ...head,
      object: literal('chat.completion'),
      choices: list(
        record({
          index: count,
          message,
          logprobs: choiceLogprobsSchema,
          finish_reason: literal(...FINISH_REASONS),
        }),
      ),
      usage: usageSchema,
    },
    { ...tier, metadata: { type: 'object', additionalProperties: string } },
  ),
)

const delta = record(
  {},
  {
    role: about(literal('assistant'), 'In the first chunk of a choice.'),
    content: string,
    refusal: nothing,
    reasoning_content: reasoning,
    tool_calls: list(
      record(
        { index: about(count, 'Which call this is a piece of.') },
        {
          id: about(string, 'In the first piece, as type and name.'),
          type: literal('function', 'custom'),
          function: record({}, { name: string, arguments: string }),
          custom: record({}, { name: string, input: string }),
        },
      ),
    ),
    function_call: record({}, { name: string, arguments: string }),
  },
)

export const chatChunkSchema = named(
  'ChatCompletionChunk',
  record(
    {
      ...head,
      object: literal('chat.completion.chunk'),
      choices: about(
        list(
          record({
            index: count,
            delta,
            logprobs: choiceLogprobsSchema,
            finish_reason: nullable(literal(...FINISH_REASONS)),
          }),
        ),
        'Empty in the chunk that tells the usage.',
      ),
    },
    {
      ...tier,
      usage: about(nullable(usageSchema), 'With `include_usage`: null on all chunks but the last.'),
      obfuscation,
    },
  ),
)
