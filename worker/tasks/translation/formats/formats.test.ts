import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TranslationFormat } from '../../../protocol/translation.ts'
import { braces, brackets, natural, tags } from '../masks.ts'
import { isSlot, joined, wordsOf, write } from '../rich.ts'
import { segmentsOf } from '../segments.ts'
import { codecOf, parse, protectedParts } from './index.ts'

const formats: readonly TranslationFormat[] = ['text', 'markdown', 'html', 'telegram']
const kept = (text: string, format: TranslationFormat = 'text') => protectedParts({ text }, format)

describe('what stays as it is', () => {
  it.each([
    ['Hello {name}, {{ user.first }} and \u0024{total}!', ['{name}', '{{ user.first }}', '\u0024{total}']],
    ['{{#if a b}}x{{/if}}', ['{{#if a b}}', '{{/if}}']],
    ['%s of %1$d, %(count)s, %@ and %name%', ['%s', '%1$d', '%(count)s', '%@', '%name%']],
    ['100 % sure, 50% of it, 5%', []],
    ['{count, plural, one {# item} other {# items}} left', ['{count, plural, one {# item} other {# items}}']],
    ['He said {as I know by now}.', []],
    ['See https://a.b/c?d=e#f, www.x.org. Ask a.b@c.de!', ['https://a.b/c?d=e#f', 'www.x.org', 'a.b@c.de']],
    ['tg://user?id=1 by @ton_core with #tag1 and C#', ['tg://user?id=1', '@ton_core', '#tag1']],
    ['Run `npm start` or <0>click</0> [[here]]', ['`npm start`', '<0>', '</0>', '[[here]]']],
    ['Ein Satz. Ohne alles: a < b > c', []],
  ])('of the text %j', (text, expected) => {
    expect(kept(text)).toEqual(expected)
  })

  it.each([
    ['<p class="a>b">x <b>y</b></p>', ['<p class="a>b">', '<b>', '</b>', '</p>']],
    ['a <br/> b &copy; &amp; c', ['<br/>', '&copy;']],
    [
      '<code>x y</code><span translate="no">Name <b>It</b></span>',
      ['<code>x y</code>', '<span translate="no">Name <b>It</b></span>'],
    ],
    ['<!-- no > --><style>a {}</style>', ['<!-- no > -->', '<style>a {}</style>']],
    ['<i>open', ['<i>']],
  ])('of the HTML %j', (text, expected) => {
    expect(kept(text, 'html')).toEqual(expected)
  })

  it.each([
    ['# A *b* __c__', ['# ', '*', '*', '__', '__']],
    ['a * b snake_case_name', []],
    ['![alt](x.png "t") and <https://a.b>', ['![', '](x.png "t")', '<https://a.b>']],
    ['```js\nlet a\n```\ntext', ['```js\n', 'let a\n', '```\n']],
    ['> - [ ] task\n1. two', ['> - [ ] ', '\n', '1. ']],
    ['| a | b |\n|---|---|\n| c | d |', ['|', '|', '|', '\n', '|---|---|\n', '|', '|', '|']],
    ['one  \ntwo\\\nthree', ['  \n', '\\\n']],
    ['---\ntitle: x\n---\nText', ['---\n', 'title: x\n', '---\n']],
  ])('of the Markdown %j', (text, expected) => {
    expect(kept(text, 'markdown')).toEqual(expected)
  })
})

/** Bits of all formats, put together in any way. */
const bits = [
  'a',
  'B. ',
  ' ',
  '\n',
  '{',
  '}',
  '{n}',
  '<b>',
  '</b>',
  '<p>',
  '*',
  '**',
  '_',
  '`',
  '[',
  '](u)',
  '&amp;',
  '&',
  '<',
  '@ab',
  '🙂',
  '- ',
  '# ',
  '|',
  '%s',
  '\\',
  '"',
  "'",
  '<!--',
  '-->',
  '<code>',
  '</code>',
]
const anyText = fc.array(fc.constantFrom(...bits), { maxLength: 40 }).map((parts) => parts.join(''))

describe('any text', () => {
  it('taken apart and put together is itself, but for what its format does not tell apart', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom('text' as const, 'telegram' as const), (text, format) => {
        expect(write(parse({ text }, format).parts, codecOf(format).encode)).toBe(text)
      }),
    )
    fc.assert(
      fc.property(anyText, fc.constantFrom(...formats), (text, format) => {
        const { encode } = codecOf(format)
        const once = write(parse({ text }, format).parts, encode)
        expect(write(parse({ text: once }, format).parts, encode)).toBe(once)
      }),
    )
  })

  it('loses nothing when it is cut, and every piece has something to translate or is left alone', () => {
    const cuts = fc.constantFrom(
      { into: 'sentences' as const, bytes: 20 },
      { into: 'pieces' as const, bytes: 32 },
    )
    fc.assert(
      fc.property(anyText, fc.constantFrom(...formats), cuts, (text, format, cut) => {
        const { parts } = parse({ text }, format)
        const segments = segmentsOf(parts, 'en', cut)
        const all = segments.flatMap(({ before, core, after }) => [...before, ...core, ...after])
        expect(write(all, (one) => one)).toBe(write(parts, (one) => one))
        for (const { core } of segments) if (core.length > 0) expect(wordsOf(core)).toMatch(/\p{L}/u)
      }),
    )
  })

  it('shown to a model by any mask is found again, and a lost slot is noticed', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...formats), fc.nat(), (text, format, pick) => {
        const { parts } = parse({ text }, format)
        for (const mask of [natural(codecOf(format)), tags, brackets, braces]) {
          const shown = mask.hide(parts)
          if (shown === undefined) continue
          expect(mask.find(parts, shown)).toEqual({ parts: joined(parts), wrong: [] })
          const slots = parts.filter(isSlot)
          const lost = slots[pick % Math.max(1, slots.length)]
          const rest = lost && mask.hide(parts.filter((part) => part !== lost))
          if (rest !== undefined && mask !== natural(codecOf(format)) && slots.length === 1) {
            expect(mask.find(parts, rest).wrong).toEqual([lost])
          }
        }
      }),
    )
  })
})

describe('a hostile text of a quarter of a megabyte', () => {
  it.each([
    '{',
    '{{',
    '}',
    '{a',
    '<',
    '<b',
    '<b>',
    '</i>',
    '<!--',
    '<a "',
    "<a '",
    '<pre>',
    '*',
    '**a',
    '_a',
    '[',
    '](',
    '[a](',
    '`',
    '``a',
    '~~',
    '|',
    '> ',
    '- ',
    '#',
    '    ',
    '\\',
    '%',
    '%1',
    '@',
    'a@',
    'a.',
    'http://',
    '[[',
    '&#',
    '\n',
    '\n\n',
    ' \n',
    '---',
    '=',
    'Ab. ',
    'X <b>y</b>. ',
    '{a} ',
  ])(
    'of %j is taken apart in time',
    (unit) => {
      const text = unit.repeat(Math.ceil(262_144 / unit.length))
      for (const format of formats) {
        const { parts } = parse({ text }, format)
        segmentsOf(parts, 'en', { into: 'pieces', bytes: 1536 })
      }
    },
    60_000,
  )
})
