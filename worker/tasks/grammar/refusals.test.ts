import { describe, expect, it } from 'vitest'
import { parseGbnf } from '../../engine/child/gbnf.ts'
import { isTooCostly } from '../../engine/child/grammar-cost.ts'
import { schemaToGbnf } from './index.ts'
import { MAX_GRAMMAR_LENGTH } from './limits.ts'
import { REFUSED } from './schema/keywords.ts'
import { GbnfMatcher, matcher, picker, refusal } from './testing.ts'

describe('what cannot be enforced', () => {
  const values: Record<string, unknown> = {
    uniqueItems: true,
    $dynamicRef: '#a',
    minContains: 1,
    dependentRequired: {},
  }

  it.each([...REFUSED.keys()])('refuses %s by name', (keyword) => {
    const error = refusal({ type: 'object', properties: { a: { [keyword]: values[keyword] ?? {} } } })
    expect(error.status).toBe(400)
    expect(error.apiCode).toBe('invalid_json_schema')
    expect(error.param).toBe(`schema.properties.a.${keyword}`)
    expect(error.message).toContain(`'schema.properties.a.${keyword}' is not supported`)
  })

  it.each<[string, unknown, string]>([
    ['a schema that is none', 5, 'schema'],
    ['a schema that is a list', { properties: { a: [] } }, 'schema.properties.a'],
    ['an unknown type', { type: 'text' }, 'schema.type'],
    ['a pattern that looks ahead', { type: 'string', pattern: '^(?=a)' }, 'schema.pattern'],
    ['a pattern that looks behind', { type: 'string', pattern: '(?<!a)b' }, 'schema.pattern'],
    ['a pattern that refers back', { type: 'string', pattern: '(a)\\1' }, 'schema.pattern'],
    ['a pattern with a word boundary', { type: 'string', pattern: '\\ba' }, 'schema.pattern'],
    ['a pattern that is none', { type: 'string', pattern: '(a' }, 'schema.pattern'],
    ['a pattern of too many states', { type: 'string', pattern: '(a|b)*a(a|b){40}' }, 'schema.pattern'],
    [
      'a pattern that repeats too much',
      { type: 'string', pattern: '((a{0,999}){0,999}){0,999}' },
      'schema.pattern',
    ],
    ['a reference elsewhere', { $ref: 'https://example.org/schema' }, 'schema.$ref'],
    ['a reference to nothing', { $ref: '#/$defs/x' }, 'schema.$ref'],
    ['a reference to itself', { $ref: '#' }, 'schema'],
    [
      'references in a circle',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
      'schema.$defs.a',
    ],
    ['an empty enum', { enum: [] }, 'schema.enum'],
    ['an empty anyOf', { anyOf: [] }, 'schema.anyOf'],
    ['items as a list', { type: 'array', items: [{}] }, 'schema.items'],
    ['a length below zero', { type: 'string', minLength: -1 }, 'schema.minLength'],
    [
      'a bound that is a boolean',
      { type: 'integer', minimum: 0, exclusiveMinimum: true },
      'schema.exclusiveMinimum',
    ],
    ['a bound out of reach', { type: 'integer', minimum: 1e15 }, 'schema.minimum'],
    ['a multiple too large', { type: 'integer', multipleOf: 100_003 }, 'schema.multipleOf'],
    ['a multiple of zero', { type: 'integer', multipleOf: 0 }, 'schema.multipleOf'],
    [
      'oneOf whose alternatives overlap',
      { oneOf: [{ type: 'string' }, { type: 'string', minLength: 2 }] },
      'schema.oneOf',
    ],
    [
      'more members than a grammar can tell apart',
      { type: 'object', minProperties: 2 },
      'schema.minProperties',
    ],
    ['nothing at all', { type: 'string', enum: [1] }, 'schema'],
    ['false', false, 'schema'],
    [
      'a recursion without an end',
      { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] },
      'schema',
    ],
    ['bounds that leave nothing', { type: 'integer', minimum: 5, maximum: 4 }, 'schema'],
    [
      'recursive alternatives that begin alike',
      {
        anyOf: [
          { type: 'array', prefixItems: [{ $ref: '#' }, { const: 1 }], minItems: 2 },
          { type: 'array', prefixItems: [{ $ref: '#' }, { const: 2 }], minItems: 2 },
          { const: 0 },
        ],
      },
      'schema',
    ],
  ])('refuses %s', (_, schema, param) => {
    const error = refusal(schema)
    expect([error.status, error.apiCode, error.param]).toEqual([400, 'invalid_json_schema', param])
  })

  it('lets pass what forbids nothing', () => {
    expect(matcher({ type: 'array', uniqueItems: false, not: false, 'x-order': 1 }).matches('[1]')).toBe(true)
  })
})

describe('strict mode', () => {
  const strict = {
    type: 'object',
    properties: { a: { type: ['string', 'null'] } },
    required: ['a'],
    additionalProperties: false,
  }

  it('takes a schema that is complete and closed', () => {
    expect(new GbnfMatcher(schemaToGbnf(strict, 'schema', { strict: true })).matches('{"a":null}')).toBe(true)
  })

  it.each<[string, unknown, string]>([
    ['an open object', { ...strict, additionalProperties: true }, 'schema.additionalProperties'],
    [
      'an object that says nothing of others',
      { type: 'object', properties: {}, required: [] },
      'schema.additionalProperties',
    ],
    ['an optional property', { ...strict, required: [] }, 'schema.required'],
    [
      'an open object in an array',
      { ...strict, properties: { a: { type: 'array', items: { type: 'object' } } } },
      'schema.properties.a.items.additionalProperties',
    ],
    [
      'an open object among definitions',
      { ...strict, $defs: { x: { anyOf: [{ type: 'object' }] } } },
      'schema.$defs.x.anyOf[0].additionalProperties',
    ],
    ['a root that is no object', { type: 'string' }, 'schema'],
    ['alternatives at the root', { ...strict, anyOf: [{}] }, 'schema.anyOf'],
    [
      'a keyword that does not exist',
      { ...strict, properties: { a: { tpye: 'string' } } },
      'schema.properties.a.tpye',
    ],
  ])('refuses %s', (_, schema, param) => {
    expect(refusal(schema, { strict: true }).param).toBe(param)
  })
})

describe('a schema of an attacker', () => {
  const nested = (depth: number): object => (depth === 0 ? {} : { type: 'array', items: nested(depth - 1) })
  const wide = (count: number): object => ({
    type: 'object',
    properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, { type: 'integer' }])),
  })
  const combine = (depth: number): object => ({
    allOf: Array.from({ length: depth }, (_, i) => ({
      anyOf: [{ minimum: i }, { maximum: -i }, { multipleOf: i + 1 }],
    })),
  })
  const layered = (depth: number): object => ({
    $ref: '#/$defs/d0',
    $defs: Object.fromEntries(
      Array.from({ length: depth }, (_, i) => [
        `d${i}`,
        i === depth - 1
          ? { const: 1 }
          : {
              type: 'array',
              items: {
                anyOf: [
                  { $ref: `#/$defs/d${i + 1}` },
                  { type: 'array', items: { $ref: `#/$defs/d${i + 1}` } },
                ],
              },
            },
      ]),
    ),
  })
  const chain = (length: number): object => ({
    $ref: '#/$defs/d0',
    $defs: Object.fromEntries(
      Array.from({ length }, (_, i) => [`d${i}`, i === length - 1 ? {} : { $ref: `#/$defs/d${i + 1}` }]),
    ),
  })

  it.each<[string, unknown]>([
    ['deep nesting', nested(5_000)],
    ['alternatives times alternatives', combine(20)],
    ['a chain of references', chain(20_000)],
    ['alternatives that begin alike, level by level', layered(40)],
    ['a deep constant', { const: JSON.parse('['.repeat(3000) + ']'.repeat(3000)) }],
    [
      'many patterns of names',
      {
        type: 'object',
        patternProperties: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`^${i}`, {}])),
      },
    ],
    ['a length of a billion', { type: 'string', pattern: 'a', minLength: 1_000_000_000 }],
  ])('with %s is refused', (_, schema) => {
    expect(refusal(schema).apiCode).toBe('invalid_json_schema')
  })

  it.each<[string, object]>([
    ['a thousand optional members', wide(1000)],
    ['a thousand values', { enum: Array.from({ length: 1000 }, (_, i) => `value number ${i * 7919}`) }],
    ['a long text', { type: 'string', maxLength: 100_000 }],
    [
      'a property named __proto__',
      JSON.parse('{"type":"object","properties":{"__proto__":{"type":"integer"}},"required":["__proto__"]}'),
    ],
  ])('with %s is compiled', (_, schema) => {
    const gbnf = schemaToGbnf(schema, 'schema')
    expect(gbnf.length).toBeLessThan(MAX_GRAMMAR_LENGTH)
    expect(isTooCostly(parseGbnf(gbnf))).toBe(false)
    const text = new GbnfMatcher(gbnf).sample(picker(1))
    expect(() => JSON.parse(text)).not.toThrow()
  })

  it('keeps the readings of a text few', () => {
    const wideGrammar = matcher(wide(100))
    const value = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`p${i}`, i]))
    expect(wideGrammar.readings(JSON.stringify(value))).toBeLessThanOrEqual(101)
    const text = matcher({ type: 'string', pattern: '^(a?){30}a{30}$' })
    expect(text.readings(`"${'a'.repeat(60)}"`)).toBeLessThanOrEqual(2)
    const long = matcher({ type: 'string', maxLength: 100_000 })
    expect(long.readings(`"${'a'.repeat(5000)}"`)).toBeLessThanOrEqual(150)
  })
})
