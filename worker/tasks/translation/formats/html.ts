import { type Ids, type Kept, type Mark, type Part, words } from '../rich.ts'

/** Between these no sentence goes on. */
const blocks = new Set(
  'address article aside blockquote body br button caption center col colgroup dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe legend li link main menu meta nav noscript ol optgroup option p section select source summary table tbody td template tfoot th thead title tr track ul video audio canvas object'.split(
    ' ',
  ),
)
/** Elements whose content is nobody's language. */
const opaque = new Set('script style pre code textarea kbd samp var svg math'.split(' '))
const inlineOpaque = new Set(['code', 'kbd', 'samp', 'var'])
const empty = new Set('img wbr input area embed param base'.split(' '))

// Every repetition is bounded: a hostile text takes linear time.
const markup =
  /<!--|<![^<>]{0,2000}>|<\/?([A-Za-z][A-Za-z0-9:-]{0,63})(?:[^<>"']|"[^"]{0,2000}"|'[^']{0,2000}'){0,2000}>|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});/g
const untranslated = /\stranslate\s*=\s*["']?no|\sclass\s*=\s*["'][^"']{0,500}\bnotranslate\b/i

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
}

/** Words as HTML writes them. */
export function encodeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\u00a0', '&nbsp;')
}

/** The reverse of {@link encodeHtml}; references that it does not know stay. */
export function decodeHtml(text: string): string {
  return text.replace(/&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-z]{2,4});/g, (one) => reference(one) ?? one)
}

/**
 * Reads a piece of HTML as browsers do roughly: tags of blocks cut sentences, inline elements are marks around words,
 * scripts, code and what says `translate="no"` stay. White space between words is one space.
 */
export function readHtml(html: string, ids: Ids): Part[] {
  return new HtmlReader(html, ids).read()
}

/** Inline elements inside each other; deeper ones are only kept. */
const MOST_OPEN = 64

class HtmlReader {
  readonly #html: string
  readonly #ids: Ids
  readonly #parts: Part[] = []
  /** Inline elements that are open, with the place of their mark among the parts. */
  readonly #open: { name: string; id: number; at: number }[] = []

  constructor(html: string, ids: Ids) {
    this.#html = html
    this.#ids = ids
  }

  read(): Part[] {
    let at = 0
    markup.lastIndex = 0
    for (;;) {
      const match = markup.exec(this.#html)
      if (!match) break
      this.#words(this.#html.slice(at, match.index))
      at = this.#markup(match)
      markup.lastIndex = at
    }
    this.#words(this.#html.slice(at))
    for (const { at: index } of this.#open) this.#demote(index)
    return this.#parts
  }

  #words(text: string): void {
    if (text !== '') this.#parts.push(words(text.replace(/[ \t\r\n\f]+/g, ' ')))
  }

  #keep(raw: string, block: boolean): void {
    const part: Kept = { kind: 'kept', id: this.#ids.next(), raw, ...(block && { block: true }) }
    this.#parts.push(part)
  }

  /** @returns where reading goes on */
  #markup(match: RegExpExecArray): number {
    const [raw, tag] = match
    const end = match.index + raw.length
    const name = tag?.toLowerCase()
    if (raw.startsWith('&')) {
      const text = reference(raw)
      if (text === undefined) this.#keep(raw, false)
      else this.#parts.push(words(text))
      return end
    }
    if (raw === '<!--') return this.#comment(match.index)
    if (name === undefined) {
      this.#keep(raw, true)
      return end
    }
    if (raw.startsWith('</')) return this.#close(raw, name, end)
    const closed = raw.endsWith('/>') || empty.has(name)
    if (!closed && (opaque.has(name) || untranslated.test(raw))) return this.#opaque(match.index, end, name)
    if (closed || blocks.has(name) || this.#open.length >= MOST_OPEN) this.#keep(raw, blocks.has(name))
    else this.#openInline(raw, name)
    return end
  }

  /** One without an end is the rest of the text, as for a browser. */
  #comment(start: number): number {
    const found = this.#html.indexOf('-->', start)
    const end = found < 0 ? this.#html.length : found + 3
    this.#keep(this.#html.slice(start, end), true)
    return end
  }

  #opaque(start: number, end: number, name: string): number {
    const after = endOfElement(this.#html, end, name)
    this.#keep(this.#html.slice(start, after), !inlineOpaque.has(name) && blocks.has(name))
    return after
  }

  #openInline(raw: string, name: string): void {
    const id = this.#ids.next()
    this.#open.push({ name, id, at: this.#parts.length })
    this.#parts.push({ kind: 'open', id, raw })
  }

  #close(raw: string, name: string, end: number): number {
    const index = blocks.has(name) ? -1 : this.#open.findLastIndex((one) => one.name === name)
    const opened = this.#open[index]
    if (!opened) {
      this.#keep(raw, blocks.has(name))
      return end
    }
    for (const { at } of this.#open.splice(index).slice(1)) this.#demote(at)
    this.#parts.push({ kind: 'close', id: opened.id, raw })
    return end
  }

  /** A mark without its other half is only kept. */
  #demote(at: number): void {
    const { id, raw } = this.#parts[at] as Mark
    this.#parts[at] = { kind: 'kept', id, raw }
  }
}

/** Behind the end tag that belongs to an element whose content begins at `from`; the end of the text where there is none. */
function endOfElement(html: string, from: number, name: string): number {
  const tags = new RegExp(`<(/?)${name}(?![A-Za-z0-9:-])[^<>]{0,2000}>`, 'gi')
  tags.lastIndex = from
  let depth = 1
  for (let match = tags.exec(html); match; match = tags.exec(html)) {
    if (match[1] === '/') depth -= 1
    else if (!match[0].endsWith('/>')) depth += 1
    if (depth === 0) return match.index + match[0].length
  }
  return html.length
}

/** The character of a reference that words may hold; undefined: the reference is kept as it is written. */
function reference(raw: string): string | undefined {
  const body = raw.slice(1, -1)
  if (!body.startsWith('#')) return named[body]
  const code = /^#[xX]/.test(body) ? Number.parseInt(body.slice(2), 16) : Number.parseInt(body.slice(1), 10)
  const isText = code >= 32 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) && code !== 0xa0
  return isText ? String.fromCodePoint(code) : code === 0xa0 ? '\u00a0' : undefined
}
