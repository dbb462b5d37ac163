/** Documents of completions, embeddings and the counting of tokens. */

import type { JsonSchema } from '../readers.ts'
import {
  about,
  anyOf,
  count,
  list,
  literal,
  logprob,
  named,
  nullable,
  obfuscation,
  record,
  seconds,
  string,
} from './schema.ts'
import { usageSchema } from './shared.ts'

const textLogprobs = about(
  nullable(
    record({
      tokens: list(string),
      token_logprobs: list(about(nullable(logprob), 'Null for the first token of an echoed prompt.')),
      top_logprobs: list(nullable({ type: 'object', additionalProperties: logprob })),
      text_offset: about(list(count), 'Unicode characters of the text before each token.'),
    }),
  ),
  'Null unless `logprobs` were asked for. Four arrays of one length.',
)

const head = {
  id: about(string, '`cmpl-` and the id of the request.'),
  object: literal('text_completion'),
  created: seconds,
  model: string,
}

function choices(finishReason: JsonSchema): JsonSchema {
  return list(record({ text: string, index: count, logprobs: textLogprobs, finish_reason: finishReason }))
}

export const completionSchema = named(
  'Completion',
  record({ ...head, choices: choices(literal('stop', 'length')), usage: usageSchema }),
)

export const completionChunkSchema = named(
  'CompletionChunk',
  record(
    {
      ...head,
      choices: about(choices(nullable(literal('stop', 'length'))), 'Empty in the one that tells the usage.'),
    },
    {
      usage: about(nullable(usageSchema), 'With `include_usage`: null on all but the last.'),
      obfuscation,
    },
  ),
)

export const embeddingsSchema = named(
  'Embeddings',
  record({
    object: literal('list'),
    model: string,
    data: list(
      record({
        object: literal('embedding'),
        index: about(count, 'Of the input.'),
        embedding: anyOf(
          about(list({ type: 'number' }), 'Of length 1.'),
          about(string, 'Base64 of little-endian 32-bit floats.'),
        ),
      }),
    ),
    usage: record({ prompt_tokens: count, total_tokens: count }),
  }),
)

export const inputTokensSchema = named(
  'InputTokens',
  record({ object: literal('response.input_tokens'), input_tokens: count }),
)
