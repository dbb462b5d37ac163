/** Of every request alike: no body makes anything but a request or a 400, and the schemas say what the readers do. */

import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { nearly } from './arbitrary.ts'
import { chatFields, parseChatRequest } from './chat.ts'
import { completionFields, parseCompletionRequest } from './completions.ts'
import { embeddingFields, parseEmbeddingRequest } from './embeddings.ts'
import { ApiError } from './errors.ts'
import { type FieldTable, objectSchema, parseJsonObject } from './fields.ts'
import { inputTokensFields, parseInputTokensRequest } from './input-tokens.ts'
import { PATHS } from './paths.ts'
import { MAX_DEPTH } from './readers.ts'
import { parseResponsesRequest, responsesFields } from './responses.ts'
import { refusalOf } from './testing.ts'
import { parseTranslationRequest, translationFields } from './translation.ts'

const requests: [string, FieldTable, (json: unknown) => unknown][] = [
  ['chat', chatFields, parseChatRequest],
  ['completions', completionFields, parseCompletionRequest],
  ['embeddings', embeddingFields, parseEmbeddingRequest],
  ['responses', responsesFields, parseResponsesRequest],
  ['input tokens', inputTokensFields, parseInputTokensRequest],
  ['translations', translationFields, parseTranslationRequest],
]

/** What a schema cannot say: two fields that do not go together, or a value that only code can judge. */
const BEYOND_SCHEMAS = ['invalid_parameter_combination', 'invalid_value']

describe.each(requests)('%s', (_name, table, parse) => {
  const schema = objectSchema(table)
  const valid = new Ajv({ strict: false }).compile(schema)

  test('what is read is valid by the schema, and what is not valid is refused with a 400', () => {
    let taken = 0
    fc.assert(
      fc.property(nearly(schema, 40), (json) => {
        const error = outcome(parse, json)
        if (error === undefined) {
          taken += 1
          if (!valid(json)) throw new Error(`read, though: ${JSON.stringify(valid.errors)}`)
          return
        }
        expect(error.status).toBe(400)
        expect(error.type).toBe('invalid_request_error')
        if (valid(json)) expect(BEYOND_SCHEMAS).toContain(error.apiCode)
      }),
      { numRuns: 500 },
    )
    expect(taken).toBeGreaterThan(10)
  })

  test('every field says what it does', () => {
    for (const [name, { about }] of Object.entries(table)) expect(about, name).toMatch(/^[^\n|]{5,250}[.]$/)
  })
})

function outcome(parse: (json: unknown) => unknown, json: unknown): ApiError | undefined {
  try {
    parse(json)
    return undefined
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
}

describe('bodies that want to break the reader', () => {
  const chat = { model: 'm', messages: [{ role: 'user', content: 'x' }] }
  const read = (body: string) => parseChatRequest(parseJsonObject(utf8(body)))
  const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth)

  test.each(Object.keys(chatFields).filter((name) => name !== 'model'))('%s, 100,000 levels deep', (name) => {
    const { [name as 'model']: _, ...rest } = chat
    for (const value of [nested(100_000, '[', ']'), `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`]) {
      const body = `{"${name}":${value},${JSON.stringify(rest).slice(1)}`
      expect(outcome(() => read(body), null)?.status, name).toBe(400)
    }
  })

  test('a schema is at most 64 levels deep', () => {
    const tool = (depth: number) => {
      let schema: object = {}
      for (let level = 1; level < depth; level += 1) schema = { items: schema }
      return { ...chat, tools: [{ type: 'function', function: { name: 'f', parameters: schema } }] }
    }
    expect(parseChatRequest(tool(MAX_DEPTH)).tools).toHaveLength(1)
    expect(refusalOf(parseChatRequest, tool(MAX_DEPTH + 1)).param).toBe('tools[0].function.parameters')
  })

  test('what is not read is at most 64 levels deep, too: others write it as JSON again', () => {
    const deep = JSON.parse(nested(20_000, '[', ']'))
    const call = {
      id: 'c',
      type: 'function',
      function: { name: 'f', arguments: '{}', parsed_arguments: deep },
    }
    const asked = { ...chat, messages: [{ role: 'assistant', tool_calls: [call] }] }
    expect(refusalOf(parseChatRequest, asked).param).toBe(
      'messages[0].tool_calls[0].function.parsed_arguments',
    )
    const entities = [{ type: 'bold', offset: 0, length: 1, user: deep }]
    const text = { model: 'm', target_language: 'de', format: 'telegram', input: [{ text: 'x', entities }] }
    expect(refusalOf(parseTranslationRequest, text).param).toBe('input[0].entities')
  })

  test('names of the prototype are names like any other', () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) {
      const body = (field: string) => `{"model":"m","messages":[{"role":"user","content":"x"}],${field}}`
      expect(read(body(`"metadata":{"${name}":"x"}`)).metadata).toEqual(Object.fromEntries([[name, 'x']]))
      expect(() => read(body(`"logit_bias":{"${name}":1}`))).toThrow(ApiError)
      expect(() => read(body(`"response_format":{"type":"${name}"}`))).toThrow(ApiError)
      expect(() => read(body(`"tool_choice":{"type":"${name}"}`))).toThrow(ApiError)
    }
    expect(Object.prototype).not.toHaveProperty('x')
  })

  test('huge arrays are refused by their length, before their items are read', () => {
    const many = JSON.stringify(Array(200_000).fill(0))
    for (const name of ['messages', 'tools', 'stop', 'functions']) {
      const { [name as 'messages']: _, ...rest } = chat
      const error = outcome(() => read(`{"${name}":${many},${JSON.stringify(rest).slice(1)}`), null)
      expect([error?.param, error?.apiCode]).toEqual([name, 'array_above_max_length'])
    }
  })

  test('no message holds what was sent', () => {
    const canary = 'CANARY-of-a-prompt'
    for (const [path, admit] of Object.entries(PATHS)) {
      for (const name of ['messages', 'input', 'prompt', 'stop', 'tools', 'text', 'suffix']) {
        for (const value of [{ a: canary }, [canary, 5], [{ role: canary, type: canary, content: canary }]]) {
          const error = outcome(admit, { model: 'm', target_language: 'en', input: 'x', [name]: value })
          expect(error?.message ?? '', `${path} ${name}`).not.toContain(canary)
          expect(error?.param ?? '').not.toContain(canary)
        }
      }
    }
  })
})
