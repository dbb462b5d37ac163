import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonObjectGbnf } from './index.ts'
import { person, schemaCases } from './schema-cases.ts'
import { GbnfMatcher, matcher, picker, refusal } from './testing.ts'

const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9 })
addFormats.default(ajv)

/** Each text that the grammar makes is JSON, holds no raw control character, and satisfies the schema for ajv. */
function expectSound(schema: object | boolean, runs = 30): void {
  const grammar = matcher(schema)
  const validate = ajv.compile(schema)
  for (let seed = 0; seed < runs; seed++) {
    const text = grammar.sample(picker(seed))
    expect(grammar.matches(text), text).toBe(true)
    expect(validate(JSON.parse(text)), `${JSON.stringify(schema)} made ${text}`).toBe(true)
    expect(text.isWellFormed()).toBe(true)
  }
}

describe('a schema as a grammar', () => {
  describe.each(Object.entries(schemaCases))('%s', (_, { schema, yes, no }) => {
    it('accepts what the schema accepts, and nothing else', () => {
      const grammar = matcher(schema)
      const validate = ajv.compile(schema)
      for (const value of yes) {
        expect(validate(value), `ajv refuses ${JSON.stringify(value)}`).toBe(true)
        expect(grammar.matches(JSON.stringify(value)), `refuses ${JSON.stringify(value)}`).toBe(true)
      }
      for (const value of no) {
        expect(grammar.matches(JSON.stringify(value)), `accepts ${JSON.stringify(value)}`).toBe(false)
      }
      expectSound(schema)
    })
  })

  it('writes a blank or none after a colon and a comma, and none elsewhere', () => {
    const grammar = matcher(person)
    expect(grammar.matches('{"name": "A", "age": 1}')).toBe(true)
    expect(grammar.matches('{"name":"A", "age":1}')).toBe(true)
    for (const text of [
      '{"name":  "A"}',
      '{ "name":"A"}',
      '{"name":"A"} ',
      ' {"name":"A"}',
      '{"name" :"A"}',
      '{"name":"A"\n}',
    ]) {
      expect(grammar.matches(text), text).toBe(false)
    }
  })

  it('gives no member that the schema does not list, unless it speaks of others', () => {
    const listed = { type: 'object', properties: { a: { type: 'integer' } } }
    expect(matcher(listed).matches('{"a":1,"b":2}')).toBe(false)
    expect(matcher({ ...listed, additionalProperties: true }).matches('{"a":1,"b":2}')).toBe(true)
    expect(matcher({ type: 'object' }).matches('{"b":2}')).toBe(true)
  })

  it('writes members in the order of the schema', () => {
    expect(matcher(person).matches('{"age":1,"name":"A"}')).toBe(false)
  })

  it('has no way to write half a character', () => {
    const grammar = matcher({ type: 'string' })
    expect(grammar.matches('"\\ud83d"')).toBe(false)
    expect(grammar.matches('"\ud83d"')).toBe(false)
    expect(grammar.matches('"\u0007"')).toBe(false)
    expect(grammar.matches('"\\u0007"')).toBe(true)
  })

  it.each(['date-time', 'date', 'time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid', 'uri'])(
    'enforces the format %s',
    (format) => {
      expectSound({ type: 'string', format }, 200)
    },
  )

  it.each([
    [
      'date-time',
      ['2024-02-29T23:59:59Z', '2024-01-31T00:00:00.123+02:00'],
      ['2023-02-29T00:00:00Z', '2024-01-01', '2024-01-01T24:00:00Z'],
    ],
    ['date', ['2000-02-29', '1999-12-31'], ['1900-02-29', '2024-04-31', '2024-13-01']],
    ['email', ['a@b.cc', 'first.last+tag@sub.example.org'], ['a@b', '@b.cc', 'a b@c.dd', 'a..b@c.dd']],
    ['ipv4', ['0.0.0.0', '255.255.255.255'], ['256.1.1.1', '1.1.1', '01.1.1.1']],
    [
      'ipv6',
      ['::', '::1', '1:2:3:4:5:6:7:8', '2001:db8::1', '1:2:3:4:5:6:7::'],
      ['1:2', ':::', '1:2:3:4:5:6:7:8:9', '1::2::3'],
    ],
    ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['123e4567e89b12d3a456426614174000']],
    ['duration', ['P1D', 'PT5M', 'P1Y2M3DT4H5M6S', 'P2W'], ['P', 'PT', '1D']],
  ] as const)('knows texts of the format %s', (format, yes, no) => {
    const grammar = matcher({ type: 'string', format })
    for (const text of yes) expect(grammar.matches(JSON.stringify(text)), text).toBe(true)
    for (const text of no) expect(grammar.matches(JSON.stringify(text)), text).toBe(false)
  })

  it('takes a format that it does not know for a remark, except in strict mode', () => {
    const inner = { type: 'string', format: 'iban' }
    expect(matcher(inner).matches('"x"')).toBe(true)
    const schema = { type: 'object', properties: { a: inner }, required: ['a'], additionalProperties: false }
    expect(refusal(schema, { strict: true }).param).toBe('schema.properties.a.format')
  })
})

describe('any JSON object', () => {
  const grammar = new GbnfMatcher(jsonObjectGbnf())

  it('accepts every object as JSON.stringify writes it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (value) => {
        const text = JSON.stringify(value)
        return (
          /e\+(2[89]|3)\d/.test(text) ||
          !text.isWellFormed() ||
          /\\ud[89a-f]/.test(text) ||
          grammar.matches(text)
        )
      }),
    )
  })

  it('makes objects that JSON.parse reads', () => {
    for (let seed = 0; seed < 300; seed++) {
      const value: unknown = JSON.parse(grammar.sample(picker(seed), 200))
      expect(JSON.stringify(value)).not.toContain('Infinity')
      expect(typeof value).toBe('object')
    }
  })

  it('accepts nothing else', () => {
    for (const text of [
      '[]',
      '1',
      '',
      '{',
      '{"a"}',
      '{"a":01}',
      '{"a":1,}',
      '{"a":.5}',
      '{"a":tru}',
      "{'a':1}",
    ]) {
      expect(grammar.matches(text), text).toBe(false)
    }
  })
})
