import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Gbnf, parseGbnf } from './gbnf.ts'
import { isTooCostly, recursive } from './grammar-cost.ts'

/** Whether the whole text is of the grammar: the plainest matcher there is. */
function matches({ rules, root }: Gbnf, text: string): boolean {
  const codes = Array.from(text, (letter) => letter.codePointAt(0) ?? 0)
  const ends = (rule: number, from: number): Set<number> => {
    const all = new Set<number>()
    for (const sequence of rules[rule] ?? []) {
      let at = new Set([from])
      for (const element of sequence) {
        const next = new Set<number>()
        for (const position of at) {
          if ('rule' in element) for (const end of ends(element.rule, position)) next.add(end)
          else if (
            element.chars.some(
              ([low, high]) => low <= (codes[position] ?? -1) && (codes[position] ?? -1) <= high,
            )
          )
            next.add(position + 1)
        }
        at = next
      }
      for (const end of at) all.add(end)
    }
    return all
  }
  return ends(root, 0).has(codes.length)
}

describe('GBNF', () => {
  it.each([
    ['root ::= "a" "b"', ['ab'], ['a', 'b', 'abc']],
    ['root ::= [a-c]+ # letters\n', ['a', 'abc'], ['', 'd']],
    ['root ::= [^a-c]', ['d', 'é', '😀'], ['a', '']],
    ['root ::= "a"{2,4}', ['aa', 'aaaa'], ['a', 'aaaaa']],
    ['root ::= "ab"{2}', ['abab'], ['abb', 'ab']],
    ['root ::= "a"{2,}', ['aa', 'aaaaaaa'], ['a']],
    ['root ::= "a"{0,1} "b"?', ['', 'a', 'ab', 'b'], ['aa']],
    ['root ::= ("a" | "b" )* "c"', ['c', 'abc'], ['ab']],
    ['root ::= x\nx ::= "(" x ")" |\n  "1"', ['1', '((1))'], ['(1', '']],
    ['\n# head\nroot   ::=\n  "a"\r\nb-2 ::= root', ['a'], ['b']],
    ['root ::= "\\x41\\u00e9\\U0001F600\\n\\"\\\\"', ['Aé😀\n"\\'], ['A']],
    ['root ::= [\\]\\-a-]', [']', '-', 'a'], ['b']],
    ['root ::= . "|" .', ['a|b'], ['ab']],
    ['root ::= "a" |', ['a', ''], ['b']],
  ])('%s', (source, yes, no) => {
    const grammar = parseGbnf(source)
    for (const text of yes) expect(matches(grammar, text)).toBe(true)
    for (const text of no) expect(matches(grammar, text)).toBe(false)
  })

  it.each([
    ['', 'root'],
    ['a ::= "x"', 'root'],
    ['root = "x"', '::='],
    ['root ::= "x', 'the end of a literal'],
    ['root ::= [x', 'the end of a literal'],
    ['root ::= "\\q"', 'escape'],
    ['root ::= "\\x4"', 'escape'],
    ['root ::= ("a"', ')'],
    ['root ::= a', 'a is not defined'],
    ['root ::= <token>', 'end of the line'],
    ['root ::= "a"{5,2}', 'maximum below its minimum'],
    ['root ::= "a"{3000}', 'above 2000'],
    ['root ::= "a"{,3}', 'repetition'],
    [`root ::= ${'('.repeat(1000)}`, 'nested'],
    [`root ::= "${'a'.repeat(1000)}"{2000}`, 'elements'],
    ['root ::= ((("a"{1000}){1000}){1000}){1000}', ''],
  ])('%s is refused', (source, problem) => {
    const attempt = () => isTooCostly(parseGbnf(source)) || undefined
    if (problem === '') expect(attempt()).toBeUndefined()
    else expect(attempt).toThrow(problem)
  })

  it('never fails in another way', () => {
    const part = fc.constantFrom(
      'root',
      ' ::= ',
      '"a"',
      '[a-z]',
      '(',
      ')',
      '|',
      '*',
      '+',
      '?',
      '{2,3}',
      '\n',
      ' ',
      'x',
      '#',
      '\\',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part).map((parts) => `root ::= ${parts.join('')}`),
        ),
        (source) => {
          try {
            isTooCostly(parseGbnf(source))
          } catch (cause) {
            expect(cause).toBeInstanceOf(SyntaxError)
          }
        },
      ),
    )
  })
})

describe('rules that lead back to themselves', () => {
  const graph = fc.integer({ min: 1, max: 8 }).chain((size) => {
    const call = fc.integer({ min: 0, max: size - 1 }).map((rule) => ({ rule }))
    const rule = fc.array(fc.array(call, { maxLength: 3 }), { maxLength: 2 })
    return fc.array(rule, { minLength: size, maxLength: size })
  })

  it('are found as by walking every way', () => {
    fc.assert(
      fc.property(graph, (rules) => {
        const calls = rules.map((rule) => rule.flat().map((element) => element.rule))
        const back = rules.flatMap((_, start) => {
          const seen = new Set(calls[start])
          for (const rule of seen) for (const next of calls[rule] ?? []) seen.add(next)
          return seen.has(start) ? [start] : []
        })
        expect(recursive(rules)).toEqual(back)
      }),
    )
  })

  it('are found at the end of a chain of a hundred thousand', () => {
    const length = 100_000
    const rules = Array.from({ length }, (_, at) => [[{ rule: Math.min(at + 1, length - 1) }]])
    expect(recursive(rules)).toEqual([length - 1])
  })
})

describe('a grammar is too costly', () => {
  it.each([
    ['whose ways double with each letter', 'root ::= a\na ::= "a" a b | "a" a c | "a"\nb ::= "b"\nc ::= "c"'],
    ['whose brackets are of two kinds', 'root ::= a | b\na ::= "[" root "]" | "0"\nb ::= "[" root "}" | "1"'],
    ['that has them before its first letter', `root ::= a0\n${doubling(30)}`],
    [
      'that hides them behind a long text',
      `root ::= "${'x'.repeat(100)}" a\na ::= "a" a "b" | "a" a "c" | "a"`,
    ],
    ['that is left recursive', 'root ::= root "a" | "a"'],
    ['with two thousand letters that may all be left out', 'root ::= ("a"?){2000}'],
  ])('%s', (_, source) => {
    expect(isTooCostly(parseGbnf(source))).toBe(true)
  })

  it.each([
    [
      'JSON',
      'root ::= v\nv ::= "{" (m ("," m)*)? "}" | "[" (v ("," v)*)? "]" | s | "-"? [0-9]+ ("." [0-9]+)? | "true"\nm ::= s ":" v\ns ::= "\\"" ([^"\\\\] | "\\\\" ["\\\\n])* "\\""',
    ],
    ['sums', 'root ::= (e "=" n "\\n")+\ne ::= t ([-+*/] t)*\nt ::= n | "(" e ")"\nn ::= [0-9]+'],
    [
      'a long list of words',
      `root ::= ${Array.from({ length: 3000 }, (_, index) => `"w${index * 7}"`).join(' | ')}`,
    ],
    [
      'many properties in a tree',
      `root ::= o\no ::= "{" (${Array.from({ length: 100 }, (_, index) => `"k${index}:" o`).join(' | ')})* "}"`,
    ],
    // Twenty seconds of everybody's, if each of its letters were looked for in each of its ranges.
    [
      'a set of thirty thousand letters',
      `root ::= [${Array.from({ length: 30_000 }, (_, index) => String.fromCodePoint(0x10_000 + 2 * index)).join('')}]*`,
    ],
    ['a few letters that may be left out', 'root ::= ("a"?){30} "b"'],
  ])('and not: %s', (_, source) => {
    expect(isTooCostly(parseGbnf(source))).toBe(false)
  })

  function doubling(depth: number): string {
    const rules = Array.from({ length: depth }, (_, i) => `a${i} ::= a${i + 1} "x" | a${i + 1} "y"`)
    return `${rules.join('\n')}\na${depth} ::= "z"`
  }
})
