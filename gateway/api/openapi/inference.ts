/** The routes that a worker answers. */

import {
  chatChunkSchema,
  chatCompletionSchema,
  completionChunkSchema,
  completionSchema,
  embeddingsSchema,
  inputTokensSchema,
  responseEventSchema,
  responseSchema,
} from '../../../worker/protocol/documents/index.ts'
import {
  chatFields,
  completionFields,
  embeddingFields,
  inputTokensFields,
  responsesFields,
  translationEventSchema,
  translationFields,
  translationResponseSchema,
} from '../../../worker/protocol/index.ts'
import type { Operation } from './operation.ts'

const INFERENCE_ERRORS = [400, 401, 402, 404, 408, 409, 413, 415, 429, 500, 502, 503, 504]
const model = 'chrysalis/tiny'
const created = 1_750_000_000
const usage = {
  prompt_tokens: 12,
  completion_tokens: 3,
  total_tokens: 15,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
}

const DONE =
  'The last event is `data: [DONE]`. Lines that begin with a colon are comments, sent in long silences.'

const chat: Operation = {
  method: 'post',
  path: '/v1/chat/completions',
  id: 'createChatCompletion',
  tag: 'OpenAI',
  summary: 'Chat completion',
  about:
    "OpenAI's contract. Every field is honoured, accepted because nothing is lost without it, or refused by name; null and the documented default always pass. The request is sealed to one attested worker: this gateway reads it to price it and keeps nothing of it.",
  key: 'bearer',
  request: {
    name: 'ChatCompletionRequest',
    table: chatFields,
    example: { model, messages: [{ role: 'user', content: 'How are you?' }], max_tokens: 16 },
  },
  answer: {
    about: 'The answer, whole.',
    schema: chatCompletionSchema,
    example: {
      id: 'chatcmpl-5f2d',
      object: 'chat.completion',
      created,
      model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'I am fine.', refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage,
    },
  },
  events: { about: `With \`stream: true\`: one chunk for each event. ${DONE}`, schema: chatChunkSchema },
  errors: INFERENCE_ERRORS,
}

const completion: Operation = {
  method: 'post',
  path: '/v1/completions',
  id: 'createCompletion',
  tag: 'OpenAI',
  summary: 'Text completion',
  about:
    'Continues a text as it is, without a chat template: what fill-in-the-middle editors and evaluation harnesses (`echo` with `logprobs`) use.',
  key: 'bearer',
  request: {
    name: 'CompletionRequest',
    table: completionFields,
    example: { model, prompt: 'Once upon a time', max_tokens: 16 },
  },
  answer: {
    about: 'The answers, whole.',
    schema: completionSchema,
    example: {
      id: 'cmpl-5f2d',
      object: 'text_completion',
      created,
      model,
      choices: [{ text: ' there was', index: 0, logprobs: null, finish_reason: 'length' }],
      usage,
    },
  },
  events: {
    about: `With \`stream: true\`: a piece of one answer each. ${DONE}`,
    schema: completionChunkSchema,
  },
  errors: INFERENCE_ERRORS,
}

const embeddings: Operation = {
  method: 'post',
  path: '/v1/embeddings',
  id: 'createEmbedding',
  tag: 'OpenAI',
  summary: 'Embeddings',
  about: 'One vector of length 1 for each text, in their order.',
  key: 'bearer',
  request: {
    name: 'EmbeddingRequest',
    table: embeddingFields,
    example: { model, input: ['a cat', 'a dog'] },
  },
  answer: {
    about: 'The vectors.',
    schema: embeddingsSchema,
    example: {
      object: 'list',
      model,
      data: [{ object: 'embedding', index: 0, embedding: [0.6, -0.8] }],
      usage: { prompt_tokens: 3, total_tokens: 3 },
    },
  },
  errors: INFERENCE_ERRORS,
}

const responses: Operation = {
  method: 'post',
  path: '/v1/responses',
  id: 'createResponse',
  tag: 'OpenAI',
  summary: 'Response',
  about:
    'The Responses API without memory: nothing is stored, so a conversation is sent as its items. Function and custom tools, structured text, reasoning.',
  key: 'bearer',
  request: { name: 'ResponseRequest', table: responsesFields, example: { model, input: 'How are you?' } },
  answer: { about: 'The response, whole.', schema: responseSchema },
  events: {
    about:
      'With `stream: true`: events by their `type`, numbered by `sequence_number`. There is no `[DONE]`; the last is `response.completed`, `response.incomplete`, `response.failed` or `error`.',
    schema: responseEventSchema,
  },
  errors: INFERENCE_ERRORS,
}

const inputTokens: Operation = {
  method: 'post',
  path: '/v1/responses/input_tokens',
  id: 'countInputTokens',
  tag: 'OpenAI',
  summary: 'Count input tokens',
  about: "How many tokens a response would read, by the model's own template and tokenizer. Costs nothing.",
  key: 'bearer',
  request: {
    name: 'InputTokensRequest',
    table: inputTokensFields,
    example: { model, input: 'How are you?' },
  },
  answer: {
    about: 'The count.',
    schema: inputTokensSchema,
    example: { object: 'response.input_tokens', input_tokens: 9 },
  },
  errors: INFERENCE_ERRORS,
}

const translations: Operation = {
  method: 'post',
  path: '/v1/translations',
  id: 'createTranslation',
  tag: 'Translation',
  summary: 'Translate',
  about:
    'Translates one text or many. Markup, placeholders, URLs, mentions and code come back unchanged, and that is checked: what is lost is tried again and then told in the `error` of its item.',
  key: 'bearer',
  request: {
    name: 'TranslationRequest',
    table: translationFields,
    example: { model, input: 'Guten Morgen', target_language: 'en' },
  },
  answer: {
    about: 'The translations, in the order of the input.',
    schema: { title: 'Translation', ...translationResponseSchema },
    example: {
      object: 'translation',
      id: 'trans-5f2d',
      created,
      model,
      data: [{ index: 0, text: 'Good morning', detected_source_language: 'de' }],
      usage,
    },
  },
  events: {
    about: `With \`stream: true\`: pieces of texts, each checked before it is sent. ${DONE}`,
    schema: { title: 'TranslationEvent', ...translationEventSchema },
  },
  errors: INFERENCE_ERRORS,
}

const HEADERS: Operation['parameters'] = [
  {
    name: 'idempotency-key',
    in: 'header',
    about:
      'However often it comes with the same API key, path and body, the request is run and charged once; the others get the same answer, with `idempotent-replayed: true`. Another body is 409.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
  {
    name: 'x-client-request-id',
    in: 'header',
    about: 'Comes back as it was sent.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,512}$' },
  },
]

export const inferenceOperations: readonly Operation[] = [
  chat,
  completion,
  responses,
  inputTokens,
  embeddings,
  translations,
].map((operation) => ({ ...operation, parameters: HEADERS }))
