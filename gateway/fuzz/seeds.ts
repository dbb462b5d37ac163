/** Good requests, from which bad ones are made. */

import fc from 'fast-check'
import { nearly } from '../../worker/protocol/arbitrary.ts'
import { chatFields } from '../../worker/protocol/chat.ts'
import { completionFields } from '../../worker/protocol/completions.ts'
import { embeddingFields } from '../../worker/protocol/embeddings.ts'
import { type FieldTable, objectSchema } from '../../worker/protocol/fields.ts'
import type { SealedPath } from '../../worker/protocol/index.ts'
import { inputTokensFields } from '../../worker/protocol/input-tokens.ts'
import { responsesFields } from '../../worker/protocol/responses.ts'
import { translationFields } from '../../worker/protocol/translation.ts'

const TABLES: Readonly<Record<SealedPath, FieldTable>> = {
  '/v1/chat/completions': chatFields,
  '/v1/completions': completionFields,
  '/v1/embeddings': embeddingFields,
  '/v1/responses': responsesFields,
  '/v1/responses/input_tokens': inputTokensFields,
  '/v1/translations': translationFields,
}

/** Paths whose requests have schemas. */
export const SCHEMA_PATHS = Object.keys(TABLES) as SealedPath[]

/** Paths of other faces. */
export const OTHER_PATHS = ['/v2/translate', '/translate', '/detect']

/** Bodies by the schema of a path, as JSON; one node in `oneIn` is something else. */
export function bodiesOf(path: SealedPath, oneIn: number, amount: number, seed: number): string[] {
  const arbitrary = nearly(objectSchema(TABLES[path]), oneIn)
  return fc.sample(arbitrary, { numRuns: amount, seed }).map((json) => JSON.stringify(json) ?? 'null')
}

/** Requests that are right, for every path at least one. */
export const GOOD: readonly (readonly [path: string, json: Record<string, unknown>])[] = [
  [
    '/v1/chat/completions',
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'What is the weather in Rome? 🌦' }] },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'call-1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call-1', content: '{"sky":"clear"}' },
      ],
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'Tells the weather.',
            parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          },
        },
      ],
      tool_choice: 'auto',
      temperature: 0.5,
      top_p: 0.9,
      n: 2,
      stop: ['\n', 'END'],
      seed: 7,
      logprobs: true,
      top_logprobs: 3,
      logit_bias: { 12: -100 },
      max_completion_tokens: 20,
      stream: true,
      stream_options: { include_usage: true },
      metadata: { a: 'b' },
    },
  ],
  [
    '/v1/completions',
    { prompt: ['Once', 'upon'], max_tokens: 5, echo: true, logprobs: 2, best_of: 2, stop: null },
  ],
  ['/v1/embeddings', { input: [[1, 2, 3], [4]], encoding_format: 'base64', dimensions: 4 }],
  [
    '/v1/responses',
    {
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
        { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c', output: 'done' },
      ],
      instructions: 'Be brief.',
      tools: [{ type: 'function', name: 'f', parameters: { type: 'object' }, strict: false }],
      max_output_tokens: 16,
    },
  ],
  ['/v1/responses/input_tokens', { input: 'How long is this?' }],
  [
    '/v1/translations',
    { input: ['Good morning', 'Bye'], target_language: 'de', source_language: 'auto', format: 'text' },
  ],
  ['/v2/translate', { text: ['Good morning'], target_lang: 'DE', formality: 'default' }],
  ['/translate', { q: 'Good morning', source: 'en', target: 'de', format: 'text' }],
  ['/detect', { q: 'Good morning' }],
]
