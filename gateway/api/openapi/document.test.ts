import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { PATHS } from '../../../worker/protocol/index.ts'
import type { JsonSchema } from '../../../worker/protocol/readers.ts'
import { type OpenAiKind, validateAgainstOpenAi } from '../../../worker/testing/openai-schemas.ts'
import { createApp } from '../app.ts'
import type { ApiDeps } from '../deps.ts'
import { Components } from './components.ts'
import { buildDocument, operations } from './document.ts'

const document = buildDocument()
// As one who reads the document would: every reference within it.
const ajv = new Ajv2020({ strict: false, schemas: [{ $id: 'openapi', ...document }] })
const check = (schema: JsonSchema) =>
  ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')))

test('every reference leads somewhere, and every operation has a name of its own', () => {
  for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    expect(document.components.schemas, name).toHaveProperty([name])
  }
  for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/headers\/([^"]+)"/g)) {
    expect(document.components.headers, name).toHaveProperty([name])
  }
  const ids = operations.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(JSON.stringify(document)).not.toContain('"title":"Chat')
})

test('two schemas of one name are a mistake', () => {
  const components = new Components()
  components.refer({ title: 'A', type: 'string' })
  expect(components.refer({ title: 'A', type: 'string' })).toEqual({ $ref: '#/components/schemas/A' })
  expect(() => components.refer({ title: 'A', type: 'number' })).toThrow('two schemas are called A')
})

describe.each(operations.map((operation) => [operation.id, operation] as const))('%s', (_id, operation) => {
  const { request, answer, path, method } = operation
  const described = document.paths[path]?.[method]

  test('its examples are what its schemas say', () => {
    if (request) {
      const valid = check(described?.requestBody?.content['application/json'].schema ?? {})
      expect(valid(request.example), JSON.stringify(valid.errors)).toBe(true)
    }
    if (answer.example) {
      const valid = check(new Components().refer({ ...answer.schema, title: undefined }))
      expect(valid(answer.example), JSON.stringify(valid.errors)).toBe(true)
    }
    expect(() => check({ $ref: '#/components/schemas/Error' })).not.toThrow()
  })
})

test.each<[string, OpenAiKind]>([
  ['createChatCompletion', 'Chat'],
  ['createCompletion', 'Completion'],
  ['createEmbedding', 'Embeddings'],
  ['countInputTokens', 'InputTokens'],
])("the example of %s is what the official client's types say", (id, kind) => {
  validateAgainstOpenAi(kind, operations.find((operation) => operation.id === id)?.answer.example)
})

test('what the gateway serves is told, and what is told is served', () => {
  // Routes are told before anything asks what stands behind them.
  const served = createApp({ corsOrigins: [], payments: { delegated: {} } } as unknown as ApiDeps)
    .routes.filter(({ method }) => method === 'GET' || method === 'POST')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{\.\+\})?/g, '{$1}')}`)
  const told = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  const others = [
    // Other names of /readyz, and DeepL's GET routes by POST, as its older clients ask.
    'GET /health',
    'GET /v1/health',
    'POST /v2/usage',
    'POST /v2/languages',
    'GET /reference',
    'GET /reference.css',
    'GET /reference.js',
  ]
  expect(new Set(served)).toEqual(new Set([...told, ...others]))
})

test('every path of the protocol has its table', () => {
  for (const path of Object.keys(PATHS)) {
    expect(operations.find((operation) => operation.path === path)?.request?.table, path).toBeDefined()
  }
})
