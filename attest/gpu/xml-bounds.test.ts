import { DOMParser } from '@xmldom/xmldom'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromUtf8, utf8 } from '../bytes.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { MAX_RIM, parseRimXml } from './rim-xml.ts'
import { excessOf, XML_BOUNDS } from './xml-bounds.ts'

afterEach(() => void vi.restoreAllMocks())

/** Repeats a piece, numbered, until a document of the largest size is full. */
function fill(piece: (i: number) => string): string[] {
  const pieces: string[] = []
  for (let size = 0, i = 0; size < MAX_RIM - 200; i++) {
    const next = piece(i)
    pieces.push(next)
    size += next.length
  }
  return pieces
}
const nest = (open: (i: number) => string): string => {
  const opened = fill((i) => `${open(i)}</a>`).map((both) => both.slice(0, -4))
  return opened.join('') + '</a>'.repeat(opened.length)
}
const attributes = (name: (i: number) => string): string => `<a${fill((i) => ` ${name(i)}="u"`).join('')}/>`
const half = (pieces: readonly string[]): string => pieces.slice(0, pieces.length / 2).join('')
const declared = half(fill((i) => ` xmlns:b${i}="u"`))

describe('XML of 256 KiB made to be slow', () => {
  it.each([
    ['a namespace at each of many levels', nest((i) => `<a xmlns:b${i}="u">`), 'levels'],
    ['many levels', nest(() => '<a>'), 'levels'],
    ['many namespaces on one element', attributes((i) => `xmlns:b${i}`), 'attributes on one'],
    [
      'namespaces on many elements',
      `<a>${fill((i) => `<b xmlns:c${i}="u"/>`).join('')}</a>`,
      'more than 32 namespaces',
    ],
    [
      'many namespaces over many elements',
      `<a${declared}>${half(fill(() => '<b xmlns="v"/>'))}</a>`,
      'attributes on one',
    ],
    ['many attributes on one element', attributes((i) => `b${i}`), 'attributes on one'],
    [
      'many attributes',
      `<a>${fill(() => '<b a="" c="" d="" e="" f="" g="" h="" i="" j="" k=""/>').join('')}</a>`,
      '',
    ],
    ['many elements', `<a>${fill(() => '<b/>').join('')}</a>`, 'elements'],
    ['levels hidden behind a value', nest((i) => `<a b${i}="/>">`), 'bracket'],
    ['a tag in a value', nest(() => '<a b="<c/>">'), 'bracket'],
    ['nothing but brackets', '<'.repeat(MAX_RIM), 'bracket'],
  ])('%s: refused before a parser sees it', async (_, text, why) => {
    const parser = vi.spyOn(DOMParser.prototype, 'parseFromString')
    expect(text.length).toBeLessThanOrEqual(MAX_RIM)
    expect(text.length).toBeGreaterThan(MAX_RIM * 0.9)
    const refusal: unknown = await parseRimXml(utf8(text)).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'ERR_GPU_RIM' })
    expect(String(refusal)).toContain(why)
    expect(parser).not.toHaveBeenCalled()
  })

  it('costs one look at a tag, and none after the first excess', () => {
    const looks = vi.spyOn(String.prototype, 'startsWith')
    expect(excessOf(nest((i) => `<a xmlns:b${i}="u">`))).toContain('levels')
    expect(looks).toHaveBeenCalledTimes(XML_BOUNDS.levels + 1)
    looks.mockClear()
    expect(excessOf(`<a>${'<b></b>'.repeat(200)}</a>`)).toBeUndefined()
    expect(looks).toHaveBeenCalledTimes(402)
  })
})

describe('what a manifest needs', () => {
  const hash = ` h="${'0'.repeat(96)}"`
  it.each([
    ['levels', (n: number) => '<a>'.repeat(n) + '</a>'.repeat(n), XML_BOUNDS.levels],
    ['namespaces', (n: number) => `<a>${'<b xmlns="u"/>'.repeat(n)}</a>`, XML_BOUNDS.namespaces],
    ['elements', (n: number) => `<a>${'<b/>'.repeat(n - 1)}</a>`, XML_BOUNDS.elements],
    ['attributes on one element', (n: number) => `<a${hash.repeat(n)}/>`, XML_BOUNDS.attributesOfOne],
    [
      'attributes',
      (n: number) => `<a>${`<b${' c=""'.repeat(64)}/>`.repeat(n / 64)}<d${' c=""'.repeat(n % 64)}/></a>`,
      XML_BOUNDS.attributes,
    ],
  ])('%s: up to the bound, and none above', (what, make, bound) => {
    expect(excessOf(make(bound))).toBeUndefined()
    expect(excessOf(make(bound + 1))).toBe(`more than ${bound} ${what}`)
  })

  it.skipIf(!haveVectors())("is a quarter of it at most in NVIDIA's, and four levels less", () => {
    const text = fromUtf8(vectorBytes('nvidia/rim/1010_0200_882_96005E0001_PROD.swidtag'))
    const body = text.slice(text.indexOf('<SoftwareIdentity'))
    expect(excessOf(`<a><a><a><a>${body.repeat(4)}</a></a></a></a>`)).toBeUndefined()
  })
})
