import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { parseGbnf } from '../../engine/child/gbnf.ts'
import { isTooCostly } from '../../engine/child/grammar-cost.ts'
import { ApiError } from '../../protocol/errors.ts'
import { schemaToGbnf } from './index.ts'
import { GbnfMatcher, picker } from './testing.ts'

const ajv = new Ajv2020({ strict: false })

describe('random schemas', () => {
  const scalar = fc.oneof(
    fc.constant({ type: 'boolean' }),
    fc.constant({ type: 'null' }),
    fc.record({ type: fc.constant('integer') }),
    fc.tuple(fc.integer({ min: -150, max: 150 }), fc.nat(400), fc.boolean()).map(([min, more, isWhole]) => ({
      type: isWhole ? 'integer' : 'number',
      minimum: min,
      maximum: min + more,
    })),
    fc
      .tuple(fc.nat(4), fc.nat(5))
      .map(([min, more]) => ({ type: 'string', minLength: min, maxLength: min + more })),
    fc
      .constantFrom('^a+b?$', '^(x|yz){1,3}$', 'q', '^[^a-z]*$', '^\\d{2}:\\d{2}$')
      .map((pattern) => ({ type: 'string', pattern })),
    fc
      .uniqueArray(
        fc.oneof(fc.string({ maxLength: 4 }), fc.integer({ min: -9, max: 9 }), fc.constant(null)),
        { minLength: 1, maxLength: 5 },
      )
      .map((list) => ({ enum: list })),
  )
  const { schema: schemas } = fc.letrec<{ schema: object }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      scalar,
      fc
        .tuple(tie('schema'), fc.nat(2), fc.nat(3))
        .map(([items, min, more]) => ({ type: 'array', items, minItems: min, maxItems: min + more })),
      fc
        .tuple(
          fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'ab', 'c"'), tie('schema'), fc.boolean()), {
            maxLength: 4,
            selector: ([name]) => name,
          }),
          fc.boolean(),
        )
        .map(([members, isOpen]) => ({
          type: 'object',
          properties: Object.fromEntries(members.map(([name, value]) => [name, value])),
          required: members.filter(([, , isRequired]) => isRequired).map(([name]) => name),
          additionalProperties: isOpen ? { type: 'integer' } : false,
        })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      fc.tuple(tie('schema'), tie('schema')).map((allOf) => ({ allOf })),
    ),
  }))

  /** Compiled, and not too much for the engine; or undefined where the schema is one that we refuse (nothing matches, too ambiguous). */
  function compiled(schema: object): GbnfMatcher | undefined {
    try {
      const gbnf = schemaToGbnf(schema, 'schema')
      if (isTooCostly(parseGbnf(gbnf))) throw new Error(`too costly: ${JSON.stringify(schema)}`)
      return new GbnfMatcher(gbnf)
    } catch (error) {
      if (error instanceof ApiError && error.status === 400) return undefined
      throw error
    }
  }

  it('make texts that ajv accepts', () => {
    fc.assert(
      fc.property(schemas, fc.nat(), (schema, seed) => {
        const grammar = compiled(schema)
        fc.pre(grammar !== undefined)
        const validate = ajv.compile(schema)
        for (let run = 0; run < 5; run++) {
          const text = grammar.sample(picker(seed + run))
          if (!validate(JSON.parse(text)))
            throw new Error(`${text} does not satisfy ${JSON.stringify(schema)}`)
        }
      }),
      { numRuns: 250 },
    )
  })

  it('accept the values that ajv accepts, and no other', () => {
    const key = fc.constantFrom('a', 'b', 'ab', 'c"', '', 'z')
    const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>(
          null,
          true,
          false,
          0,
          1,
          -5,
          2.5,
          100,
          'a',
          'ab',
          'aab',
          'q',
          'xyz',
          '12:34',
          '',
          '😀"',
        ),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    }))
    fc.assert(
      fc.property(schemas, fc.array(values, { minLength: 20, maxLength: 20 }), (schema, some) => {
        const grammar = compiled(schema)
        fc.pre(grammar !== undefined)
        const validate = ajv.compile(schema)
        for (const value of some) {
          const text = JSON.stringify(value)
          // Members come in the order of the schema: a value in another order says nothing about completeness.
          const isOrdered = !/[{].*,/.test(text)
          const matches = grammar.matches(text)
          const valid = validate(value)
          if (matches && !valid) throw new Error(`accepts ${text} for ${JSON.stringify(schema)}`)
          if (!matches && valid && isOrdered) throw new Error(`refuses ${text} for ${JSON.stringify(schema)}`)
        }
      }),
      { numRuns: 250 },
    )
  })
})
