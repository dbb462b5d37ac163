/**
 * Every member that the official client's types know, at every depth: it is read or refused as what it is. "Unknown
 * parameter" would mean that OpenAI added something here, and nobody has decided what we do with it.
 */

import { describe, expect, test } from 'vitest'
import { openAiDefinitions } from '../testing/openai-schemas.ts'
import { parseChatRequest } from './chat.ts'
import { parseCompletionRequest } from './completions.ts'
import { parseEmbeddingRequest } from './embeddings.ts'
import { ApiError } from './errors.ts'
import { parseInputTokensRequest } from './input-tokens.ts'
import type { JsonSchema } from './readers.ts'
import { parseResponsesRequest } from './responses.ts'

const definitions = openAiDefinitions()
const REF = '#/definitions/'

/** Values of a schema: the least one first, then one for each member and variant, at every depth. */
function* samples(schema: JsonSchema, within: readonly string[] = []): Generator<unknown> {
  const { $ref, anyOf, enum: choices, const: constant, type, items, properties } = schema
  if (typeof $ref === 'string') {
    const name = decodeURIComponent($ref.slice(REF.length))
    if (!within.includes(name)) yield* samples(definitions[name] ?? {}, [...within, name])
  } else if (Array.isArray(anyOf)) for (const each of anyOf) yield* samples(each, within)
  else if (Array.isArray(choices)) yield* choices
  else if (constant !== undefined) yield constant
  else if (Array.isArray(type)) for (const each of type) yield* samples({ ...schema, type: each }, within)
  else if (type === 'array') for (const each of samples((items ?? {}) as JsonSchema, within)) yield [each]
  else if (type === 'object') yield* objects(schema, (properties ?? {}) as Record<string, JsonSchema>, within)
  else yield plain(type)
}

function* objects(
  { required = [] }: JsonSchema,
  properties: Readonly<Record<string, JsonSchema>>,
  within: readonly string[],
): Generator<unknown> {
  const least = (name: string) => samples(properties[name] ?? {}, within).next().value
  const base = Object.fromEntries((required as string[]).map((name) => [name, least(name)]))
  yield base
  for (const [name, member] of Object.entries(properties)) {
    for (const value of samples(member, within)) yield { ...base, [name]: value }
  }
}

function plain(type: unknown): unknown {
  const values: Record<string, unknown> = { number: 1, integer: 1, boolean: true, null: null }
  return Object.hasOwn(values, String(type)) ? values[String(type)] : 'a'
}

// The types let these be absent, for prompts that are kept there.
const asked = { model: 'm', input: 'a' }

const NEEDED = ['model', 'input', 'input[0].call_id']

describe.each([
  ['ChatRequest', parseChatRequest, {}, 300],
  ['CompletionRequest', parseCompletionRequest, {}, 20],
  ['EmbeddingRequest', parseEmbeddingRequest, {}, 5],
  ['ResponseRequest', parseResponsesRequest, asked, 1000],
  ['InputTokensRequest', parseInputTokensRequest, asked, 1000],
] as const)('%s', (kind, parse, base, least) => {
  test('every member is known, and some requests with it are read', () => {
    const schema = definitions[`${kind}Document`] ?? {}
    const unknown = new Set<string>()
    const nulls = new Set<string>()
    let count = 0
    let read = 0
    for (const json of samples(schema)) {
      count += 1
      try {
        parse({ ...base, ...(json as object) })
        read += 1
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        expect(error.status).toBe(400)
        if (error.apiCode === 'unknown_parameter') unknown.add(String(error.param))
        if (error.message.includes('but got null')) nulls.add(String(error.param))
      }
    }
    expect([...unknown]).toEqual([])
    // Where the types let null stand, it is read, but for what a request cannot be without.
    expect(NEEDED).toEqual(expect.arrayContaining([...nulls]))
    expect(count).toBeGreaterThan(least)
    expect(read).toBeGreaterThan(least / 20)
  })
})
