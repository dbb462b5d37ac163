import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutMember } from './cut.ts'
import { CollateralError } from './errors.ts'

describe('cutting a member out of JSON', () => {
  it('gives back its exact text, whatever stands around it and in it', () => {
    const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 3 })
    const name = fc.constantFrom('a', 'tcbInfo', '"', '\\', '}', ',', ':', 'é', '')
    const member = fc.tuple(name, fc.jsonValue({ maxDepth: 3 }), space, space, space, fc.boolean())
    fc.assert(
      fc.property(
        fc.uniqueArray(member, { selector: ([key]) => key, maxLength: 6 }),
        space,
        (members, pad) => {
          const texts = members.map(([, value, , , , pretty]) => JSON.stringify(value, null, pretty ? 2 : 0))
          const text = members
            .map(([key, , a, b, c], i) => `${a}${JSON.stringify(key)}${b}:${c}${texts[i]}${a}`)
            .join(`${pad},`)
          members.forEach(([key], i) => {
            expect(cutMember(`${pad}{${text}}${pad}`, key, 'test')).toBe(texts[i])
          })
        },
      ),
      { numRuns: 300 },
    )
  })

  it('reads names as JSON does, so that no spelling hides a second member', () => {
    expect(cutMember('{"\\u0061":1}', 'a', 'test')).toBe('1')
    expect(() => cutMember('{"a":1,"\\u0061":2}', 'a', 'test')).toThrow('twice')
    expect(cutMember('{"b":{"a":1},"a":[{"a":"}"}]}', 'a', 'test')).toBe('[{"a":"}"}]')
  })

  it.each(['', '[]', 'null', '"a"', '{', '{"a":1', '{"a":1}}', '{"b":1}', '{}', '{"a":}'])(
    'refuses %s',
    (text) => {
      expect(() => cutMember(text, 'a', 'test')).toThrow(CollateralError)
    },
  )

  it('ends on every text, with an answer or a CollateralError', () => {
    const fragment = fc.constantFrom('{', '}', '[', ']', '"a"', '"', ':', ',', '\\', '1', 'true', ' ', '"x"')
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
        try {
          cutMember(`{"a":${parts.join('')}}`, 'a', 'test')
        } catch (error) {
          if (!(error instanceof CollateralError)) throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})
