/** For tests: values near a JSON Schema, most of them almost right. */

import fc from 'fast-check'
import type { JsonSchema } from './readers.ts'

/** Values of the schema, with anything at all in the place of about one node in `oneIn`. */
export function nearly(schema: JsonSchema, oneIn: number): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: oneIn - 1, arbitrary: exactly(schema, oneIn) },
    { weight: 1, arbitrary: fc.oneof(fc.jsonValue(), fc.constantFrom(...ODD)) },
  )
}

const ODD = [-1, 0.5, 1e300, '', 'x'.repeat(2000), [], {}, [[]], null, '\ud800', '\0']

/** Texts for the patterns of the tables: one of them fits each. */
const WORDS = ['a', 'weather', 'de', '0', '17', 'GPT-9']

function exactly(schema: JsonSchema, oneIn: number): fc.Arbitrary<unknown> {
  const { anyOf, enum: choices, type } = schema
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((each) => nearly(each, oneIn)))
  if (Array.isArray(choices)) return fc.constantFrom(...choices)
  const kind = Array.isArray(type) ? type[0] : type
  switch (kind) {
    case 'string':
      return fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 8 }))
    case 'boolean':
      return fc.boolean()
    case 'integer':
    case 'number':
      return aNumber(schema, kind)
    case 'array':
      return fc.array(nearly(schema.items as JsonSchema, oneIn), { maxLength: 3 })
    case 'object':
      return anObject(schema, oneIn)
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue()
  }
}

function aNumber({ minimum = 0, maximum = 1000 }: JsonSchema, kind: string): fc.Arbitrary<number> {
  const [least, most] = [Number(minimum), Number(maximum)]
  const ends = fc.constantFrom(least, most, most + 1, least - 1)
  const middle =
    kind === 'integer'
      ? fc.integer({ min: Math.max(least, -1000), max: Math.min(most, 1000) })
      : fc.double({ min: least, max: most, noNaN: true })
  return fc.oneof({ weight: 5, arbitrary: middle }, { weight: 1, arbitrary: ends })
}

function anObject(schema: JsonSchema, oneIn: number): fc.Arbitrary<unknown> {
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>
  if (Object.keys(properties).length === 0) {
    const value = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {}
    return fc.dictionary(fc.constantFrom(...WORDS, '__proto__'), nearly(value as JsonSchema, oneIn), {
      maxKeys: 3,
    })
  }
  const members = Object.fromEntries(
    Object.entries(properties).map(([name, member]) => [name, nearly(member, oneIn)]),
  )
  const requiredKeys = (schema.required ?? []) as string[]
  const others = Object.keys(members).filter((name) => !requiredKeys.includes(name))
  const optional = fc.subarray(others, { maxLength: Math.min(4, others.length) })
  const whole = optional.chain((names) =>
    fc.record(
      Object.fromEntries([...requiredKeys, ...names].map((name) => [name, members[name] ?? fc.jsonValue()])),
    ),
  )
  const extra = fc
    .tuple(whole, fc.constantFrom('extra', 'constructor', ''))
    .map(([value, name]) => ({ ...value, [name]: 1 }))
  const less = fc.tuple(whole, fc.nat()).map(([value, index]) => {
    const names = Object.keys(value)
    return Object.fromEntries(Object.entries(value).filter(([name]) => name !== names[index % names.length]))
  })
  return fc.oneof(
    { weight: 4 * oneIn, arbitrary: whole },
    { weight: 1, arbitrary: extra },
    { weight: 1, arbitrary: less },
  )
}
