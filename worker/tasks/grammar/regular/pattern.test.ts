import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Budget, TooComplex } from '../limits.ts'
import { type Automaton, accepts, minimise } from './automaton.ts'
import { PatternError, searchPattern } from './pattern.ts'
import { automaton } from './regular.ts'

function read(pattern: string): Automaton {
  const budget = new Budget()
  return automaton(searchPattern(pattern, budget), budget)
}

/** Patterns of everything that we read, over a few letters, so that random texts match some of them. */
const { pattern: patterns } = fc.letrec<{ pattern: string; term: string }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      'a',
      'b',
      'c',
      '.',
      '\\d',
      '\\W',
      '\\s',
      '[ab]',
      '[^a]',
      '[a-c1]',
      '[^\\w]',
      '\\n',
      '\\x61',
      '\\u0062',
      '\\u{63}',
      '[\\]\\-^]',
      '\\p{Lu}',
      '\\P{L}',
      '^',
      '$',
    ),
    tie('pattern').map((inner) => `(${inner})`),
    tie('pattern').map((inner) => `(?:${inner})`),
    tie('pattern').map((inner) => `(?<n${Math.abs(inner.length)}>${inner})`),
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '*?', '{2}', '{0,2}', '{1,}', '{0}'))
      .map(([inner, count]) => `(?:${inner})${count}`),
  ),
  pattern: fc.oneof(
    fc.array(tie('term'), { maxLength: 3 }).map((terms) => terms.join('')),
    fc.tuple(tie('term'), tie('term')).map(([left, right]) => `${left}|${right}`),
  ),
}))
const texts = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', 'A', '1', ' ', '\n', '-', '😀'),
  maxLength: 6,
})

/** What JavaScript says; undefined where a generated name of a group occurs twice. */
function regExp(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return undefined
  }
}

describe('a pattern', () => {
  it('is found where JavaScript finds it', () => {
    fc.assert(
      fc.property(patterns, fc.array(texts, { minLength: 10, maxLength: 10 }), (pattern, some) => {
        const expected = regExp(pattern)
        fc.pre(expected !== undefined)
        const found = read(pattern)
        const small = minimise(found, new Budget())
        for (const text of some) {
          expect(accepts(found, text), `${pattern} in ${JSON.stringify(text)}`).toBe(expected.test(text))
          expect(accepts(small, text), `${pattern} made small`).toBe(expected.test(text))
        }
        expect(small.accepts.length).toBeLessThanOrEqual(found.accepts.length)
      }),
      { numRuns: 600 },
    )
  })

  it.each([
    ['\\_\\@\\ ', '_@ '],
    ['^{a}$', '{a}'],
    ['^\\cA\\0$', '\u0001\0'],
    ['^\\ud83d\\ude00$', '😀'],
    ['^[\\b]$', '\b'],
    ['^]$', ']'],
  ])('%s is read as most engines read it', (pattern, text) => {
    expect(accepts(read(pattern), text)).toBe(true)
  })

  it.each([
    ['(?=a)', 'looks ahead'],
    ['(?!a)', 'looks ahead'],
    ['(?<=a)', 'looks behind'],
    ['(?<!a)', 'looks behind'],
    ['(a)\\1', 'refers back'],
    ['(?<n>a)\\k<n>', 'refers back'],
    ['a\\b', 'word boundary'],
    ['\\B', 'word boundary'],
    ['(?i)a', "begins with '(?'"],
    ['\\Aa', 'escape \\A'],
    ['\\p{Nope}', 'Unicode property'],
    ['\\pL', 'Unicode property'],
    ['(a', "'(' without"],
    ['a)', "unmatched ')'"],
    ['[a', "'[' without"],
    ['[b-a]', 'out of order'],
    ['[\\d-z]', 'range with a class'],
    ['*a', 'nothing to repeat'],
    ['{2}', 'nothing to repeat'],
    ['a{3,2}', 'out of order'],
    ['a++', 'possessive'],
    ['\\', 'backslash'],
    ['\\xg1', '\\x or \\u'],
    ['\\ud83d', 'surrogate'],
    ['(?:'.repeat(200), 'nests'],
  ])('%s is refused, and why is said', (pattern, why) => {
    expect(() => read(pattern)).toThrow(PatternError)
    expect(() => read(pattern)).toThrow(why)
  })

  it('never fails in another way', () => {
    const pieces = fc.constantFrom(
      'a',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '1',
      ',',
      '*',
      '+',
      '?',
      '|',
      '^',
      '$',
      '\\',
      'd',
      'b',
      'p',
      'u',
      'x',
      '-',
      '<',
      '=',
      '!',
      ':',
      '.',
      '😀',
      '\ud800',
    )
    fc.assert(
      fc.property(fc.string({ unit: pieces, maxLength: 12 }), (pattern) => {
        try {
          read(pattern)
        } catch (error) {
          if (!(error instanceof PatternError) && !(error instanceof TooComplex)) throw error
        }
      }),
      { numRuns: 1500 },
    )
  })
})
