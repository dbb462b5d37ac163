/** What is asked of the gateway: each route that reads a body, with good requests and the schema of all others. */

import { chatFields } from '../../worker/protocol/chat.ts'
import { completionFields } from '../../worker/protocol/completions.ts'
import { embeddingFields } from '../../worker/protocol/embeddings.ts'
import { type FieldTable, objectSchema } from '../../worker/protocol/fields.ts'
import { inputTokensFields } from '../../worker/protocol/input-tokens.ts'
import type { JsonSchema } from '../../worker/protocol/readers.ts'
import { responsesFields } from '../../worker/protocol/responses.ts'
import { translationFields } from '../../worker/protocol/translation.ts'
import { deepLTranslateFields } from '../api/deepl/request.ts'
import { libreDetectFields, libreTranslateFields } from '../api/libretranslate/request.ts'

/** Stands in every text of a request, and may stand in no error and in no line of the log. */
export const CANARY = 'Qz7-canary-7zQ'

/** A name of a field, of which only the beginning may be told back. */
export const LONG_NAME = `${'n'.repeat(70)}${CANARY}`

/** Whose errors a route answers in: OpenAI's envelope, DeepL's `{message}` or LibreTranslate's `{error}`. */
export type Face = 'openai' | 'deepl' | 'libretranslate'

export interface Route {
  readonly path: string
  readonly face: Face
  readonly schema: JsonSchema
  /** Answered with 200; as many fields as go together. */
  readonly good: readonly Readonly<Record<string, unknown>>[]
}

const MODEL = { model: 'chrysalis/tiny' }

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^[a-z]{1,8}$' },
    size: { anyOf: [{ type: 'integer', minimum: 0, maximum: 99 }, { type: 'null' }] },
    tags: { type: 'array', items: { $ref: '#/$defs/tag' }, maxItems: 4 },
  },
  required: ['name', 'size', 'tags'],
  additionalProperties: false,
  $defs: { tag: { enum: ['a', 'b', 3] } },
}

const called = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }
const messages = [
  { role: 'system', content: CANARY },
  { role: 'user', content: [{ type: 'text', text: CANARY }], name: 'ann' },
  { role: 'assistant', content: null, tool_calls: [called] },
  { role: 'tool', tool_call_id: 'call_1', content: CANARY },
]
const sampling = { temperature: 0.5, top_p: 0.9, seed: 7, stop: ['x', '\n'], logit_bias: { 5: -100, 17: 3 } }
const tool = {
  type: 'function',
  function: { name: 'f', description: CANARY, parameters: schema, strict: true },
}

const chats = [
  { ...MODEL, messages, ...sampling, max_completion_tokens: 9, user: 'u', metadata: { a: 'b' } },
  { ...MODEL, messages, tools: [tool], tool_choice: 'required', parallel_tool_calls: false, stream: true },
  {
    ...MODEL,
    messages: [{ role: 'user', content: CANARY }],
    response_format: { type: 'json_schema', json_schema: { name: 's', schema, strict: true } },
    n: 2,
    logprobs: true,
    top_logprobs: 3,
  },
  { ...MODEL, messages: [{ role: 'user', content: CANARY }], grammar: 'root ::= "a" | [b-d]{2,5}' },
]

const completions = [
  { ...MODEL, prompt: [CANARY, 'b'], ...sampling, max_tokens: 5, echo: true, logprobs: 2, n: 2, best_of: 2 },
  { ...MODEL, prompt: [1, 2, 3], stream: true, stream_options: { include_usage: true } },
]

const input = [
  { role: 'user', content: [{ type: 'input_text', text: CANARY }] },
  { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
  { type: 'function_call_output', call_id: 'c', output: CANARY },
]
const responses = [
  { ...MODEL, input, instructions: CANARY, max_output_tokens: 9, metadata: { a: 'b' }, stream: true },
  {
    ...MODEL,
    input: CANARY,
    tools: [{ type: 'function', name: 'f', parameters: schema, strict: true }],
    text: { format: { type: 'json_schema', name: 's', schema, strict: true } },
    store: false,
  },
]

const translations = [
  {
    ...MODEL,
    input: [`<b>${CANARY}</b> {name}`, 'x'],
    target_language: 'de',
    source_language: 'en',
    format: 'html',
    formality: 'prefer_more',
    glossary: [{ source: 'x', target: 'y' }],
    context: CANARY,
    alternatives: 1,
  },
  { ...MODEL, input: CANARY, target_language: 'es', stream: true },
  {
    ...MODEL,
    input: [{ text: CANARY, entities: [{ type: 'bold', offset: 0, length: 4 }] }],
    target_language: 'fr',
    format: 'telegram',
  },
]

const route = (path: string, face: Face, table: FieldTable, good: Route['good']): Route => ({
  path,
  face,
  schema: objectSchema(table),
  good,
})

/** Every route that reads a body. */
export const ROUTES: readonly Route[] = [
  route('/v1/chat/completions', 'openai', chatFields, chats),
  route('/v1/completions', 'openai', completionFields, completions),
  route('/v1/embeddings', 'openai', embeddingFields, [
    { ...MODEL, input: [CANARY, 'b'], encoding_format: 'base64', dimensions: 4 },
    { ...MODEL, input: [[1, 2], [3]] },
  ]),
  route('/v1/responses', 'openai', responsesFields, responses),
  route('/v1/responses/input_tokens', 'openai', inputTokensFields, [{ ...MODEL, input }]),
  route('/v1/translations', 'openai', translationFields, translations),
  route('/v2/translate', 'deepl', deepLTranslateFields, [
    { text: [CANARY, 'b'], target_lang: 'DE', source_lang: 'EN', tag_handling: 'html', context: 'x' },
  ]),
  route('/translate', 'libretranslate', libreTranslateFields, [
    { q: [CANARY, 'b'], source: 'auto', target: 'de', format: 'html', alternatives: 1 },
    { q: CANARY, source: 'en', target: 'de', api_key: '' },
  ]),
  route('/detect', 'libretranslate', libreDetectFields, [{ q: CANARY }]),
]

/** Paths that are read with GET; what is behind them is changed, too. */
export const PATHS_OF_GET: readonly (readonly [string, Face])[] = [
  ['/v1/models', 'openai'],
  ['/v1/models/chrysalis/tiny', 'openai'],
  ['/v1/receipts/req-1', 'openai'],
  [`/v1/attestation?nonce=${'00'.repeat(32)}`, 'openai'],
  ['/health', 'openai'],
  ['/v2/usage', 'deepl'],
  ['/v2/languages?type=target', 'deepl'],
  ['/languages', 'libretranslate'],
  ['/frontend/settings', 'libretranslate'],
]
