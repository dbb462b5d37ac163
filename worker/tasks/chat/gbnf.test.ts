import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonObjectGbnf } from '../grammar/index.ts'
import { GbnfMatcher } from '../grammar/testing.ts'
import { afterMark, afterMarks, afterReasoning, either, notBeginning, renamed } from './gbnf.ts'

const json = jsonObjectGbnf()
const marks = { open: '<think>', close: '</think>' }
const matches = (gbnf: string, text: string) => new GbnfMatcher(gbnf).matches(text)

describe('grammars put together', () => {
  it('rename rules, and nothing that only looks like one', () => {
    const gbnf = 'root ::= a-1{2,3} "a-1 \\" root" [root\\]]+ <think> !<[7]> # root\na-1 ::= "x" | root'
    expect(renamed(gbnf, 'p-')).toBe(
      'p-root ::= p-a-1{2,3} "a-1 \\" root" [root\\]]+ <think> !<[7]> # root\np-a-1 ::= "x" | p-root',
    )
  })

  it('read what is no grammar once, however long', () => {
    for (const char of ['[', '"', '<', '{', '\\', '[\\'])
      expect(renamed(char.repeat(65_536), 'p-')).toBe(char.repeat(65_536))
  })

  it('take a text of either', () => {
    const gbnf = either('root ::= word\nword ::= "a"', 'root ::= word word\nword ::= "b"')
    expect(['a', 'bb'].every((text) => matches(gbnf, text))).toBe(true)
    expect(['b', 'aa', 'ab', ''].some((text) => matches(gbnf, text))).toBe(false)
  })

  it('take any text that does not begin as a call', () => {
    const gbnf = notBeginning('{')
    for (const text of ['', ' \n', 'Hi {"a"}\n😀', '  x{']) expect(matches(gbnf, text)).toBe(true)
    for (const text of ['{', ' \n{"a":1}']) expect(matches(gbnf, text)).toBe(false)
  })

  it('stand behind a mark and a few blanks', () => {
    const gbnf = afterMark('</think>', json)
    expect(matches(gbnf, '</think>\n\n{"a":1}')).toBe(true)
    expect(matches(gbnf, '{"a":1}')).toBe(false)
    expect(matches(gbnf, `</think>${'\n'.repeat(9)}{}`)).toBe(false)
  })

  it('may stand behind marks that frame an answer', () => {
    const gbnf = afterMarks(['<|start|>assistant', '<|final|>'], 'root ::= "yes"')
    for (const text of ['yes', '<|final|>yes', '<|start|>assistant<|final|>yes'])
      expect(matches(gbnf, text)).toBe(true)
    expect(matches(gbnf, '<|other|>yes')).toBe(false)
    expect(afterMarks([], 'root ::= "yes"')).toBe('root ::= "yes"')
  })

  it('leave reasoning free up to its first closing mark, and may do without any', () => {
    const gbnf = new GbnfMatcher(afterReasoning(marks, json))
    expect(gbnf.matches('{"a":1}')).toBe(true)
    expect(gbnf.matches('Sure: {"a":1}')).toBe(false)
    const thoughts = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc
        .array(fc.constantFrom('<', '/', '</', '</thin', 'k', '>', '</think', '\n', '"', '\\'), {
          maxLength: 12,
        })
        .map((each) => each.join('')),
    )
    const property = fc.property(thoughts, (thought) => {
      const closed = `${thought}${marks.close}`
      fc.pre(closed.indexOf(marks.close) === thought.length)
      expect(gbnf.matches(`${marks.open}${closed}\n{}`)).toBe(true)
      expect(gbnf.matches(`${marks.open}${closed}no`)).toBe(false)
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('find a mark that overlaps itself', () => {
    const gbnf = new GbnfMatcher(afterReasoning({ open: '(', close: 'aab' }, 'root ::= "!"'))
    for (const text of ['(aaab!', '(aab!', '(aaaab!', '(abaab!', '(aacaab!'])
      expect(gbnf.matches(text)).toBe(true)
    for (const text of ['(ab!', '(aa!', '(!']) expect(gbnf.matches(text)).toBe(false)
  })
})
