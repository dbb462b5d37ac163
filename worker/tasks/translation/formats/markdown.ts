import { type Ids, type Kept, type Mark, type Part, words } from '../rich.ts'

const fence = /^[ >]{0,12}(`{3,}|~{3,})/
/** Rules, the lines under headings and table heads, definitions of links, HTML comments: nothing to translate. */
const wholeLine =
  /^\s*(?:(?:[-*_]\s*){3,}|=+\s*|\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?|\[[^\]]{1,200}\]:\s.*|<!--.*-->\s*)$/
/** Quotes, list items, check boxes, headings. */
const prefix = /^(?:\s*>)*\s*(?:(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?)?(?:#{1,6}\s+)?/

// Bounded repetitions only: a hostile line takes linear time.
const inline =
  /(?<!`)(`{1,3})(?!`)[^\n]{1,1000}?(?<!`)\1(?!`)|\\[!-/:-@[-`{-~]|<(?:https?:\/\/|mailto:)[^\s<>]{1,2000}>|<\/?[A-Za-z][^<>]{0,400}>|!?\[|\]\((?:[^()\s]|\([^()\s]{0,500}\)){0,2000}(?:\s+"[^"]{0,500}")?\)|\]\[[^[\]]{0,200}\]|\*{1,3}|_{1,3}|~~/g

/** Reads CommonMark with tables: structure, code and addresses stay, emphasis and links are marks around words. */
export function readMarkdown(text: string, ids: Ids): Part[] {
  return new MarkdownReader(ids).read(text)
}

class MarkdownReader {
  readonly #ids: Ids
  readonly #parts: Part[] = []
  /** The line that was read last may go on in the next. */
  #paragraph = false

  constructor(ids: Ids) {
    this.#ids = ids
  }

  read(text: string): Part[] {
    const lines = text.split('\n')
    let until: string | undefined = lines[0]?.trimEnd() === '---' ? '---' : undefined
    for (const [index, line] of lines.entries()) {
      const last = index === lines.length - 1
      if (until !== undefined) {
        if (index > 0 && line.trimStart().startsWith(until)) until = undefined
        this.#block(line, last)
        continue
      }
      const opens = fence.exec(line)
      if (opens) until = opens[1]
      if (opens || isWholeLine(line) || isIndentedCode(line, lines[index - 1])) this.#block(line, last)
      else this.#line(line, last)
    }
    return this.#parts
  }

  /** A line that stays as it is. */
  #block(line: string, last: boolean): void {
    this.#endParagraph()
    this.#keep(line + (last ? '' : '\n'), true)
  }

  #line(line: string, last: boolean): void {
    const [head = ''] = prefix.exec(line) ?? []
    const body = line.slice(head.length)
    if (this.#paragraph && head.trim() === '' && body !== '') this.#parts.push(words(' '))
    else {
      this.#endParagraph()
      this.#keep(head, true)
    }
    const isRow = body.startsWith('|')
    const end = hardBreak(body)
    if (isRow) this.#cells(body.slice(0, end))
    else this.#inline(body.slice(0, end))
    this.#paragraph = body !== '' && end === body.length && !isRow && !head.includes('#')
    if (!this.#paragraph) this.#keep(body.slice(end) + (last ? '' : '\n'), true)
  }

  /** A paragraph's line break is known to be one when the next line does not go on with it. */
  #endParagraph(): void {
    if (this.#paragraph) this.#keep('\n', true)
    this.#paragraph = false
  }

  #cells(row: string): void {
    for (const [index, cell] of row.split(/(?<!\\)\|/).entries()) {
      if (index > 0) this.#keep('|', true)
      this.#inline(cell)
    }
  }

  #inline(text: string): void {
    for (const part of readInline(text, this.#ids)) this.#parts.push(part)
  }

  #keep(raw: string, block: boolean): void {
    const part: Kept = { kind: 'kept', id: this.#ids.next(), raw, ...(block && { block: true }) }
    if (raw !== '') this.#parts.push(part)
  }
}

/** Where a line's words end, before two spaces or a backslash that break it; its length where nothing does. */
function hardBreak(body: string): number {
  const trimmed = body.trimEnd()
  if (body.length - trimmed.length >= 2) return trimmed.length
  return body.endsWith('\\') ? body.length - 1 : body.length
}

/** Longer lines are no structure, and the pattern is not made for them. */
const isWholeLine = (line: string): boolean => line.length <= 1000 && wholeLine.test(line)

function isIndentedCode(line: string, before: string | undefined): boolean {
  const indented = /^(?: {4}|\t)\s*(?![-*+]\s|\d{1,9}[.)]\s)\S/
  return indented.test(line) && (before === undefined || before.trim() === '' || indented.test(before))
}

/** Marks that wait for their other half. */
const MOST_OPEN = 64

/** The parts of one line. Marks without their other half are words. */
function readInline(text: string, ids: Ids): Part[] {
  const parts: Part[] = []
  const open: { raw: string; id: number; at: number }[] = []
  let at = 0
  const close = (index: number, raw: string) => {
    const [opened, ...inside] = open.splice(index)
    for (const { at: lone } of inside) demote(parts, lone)
    if (opened) parts.push({ kind: 'close', id: opened.id, raw })
  }
  const begin = (raw: string) => {
    if (open.length >= MOST_OPEN) {
      parts.push(words(raw))
      return
    }
    const id = ids.next()
    open.push({ raw, id, at: parts.length })
    parts.push({ kind: 'open', id, raw })
  }
  for (const match of text.matchAll(inline)) {
    const [raw] = match
    const end = match.index + raw.length
    if (match.index > at) parts.push(words(text.slice(at, match.index)))
    at = end
    if (/^!?\[$/.test(raw)) begin(raw)
    else if (raw.startsWith('](') || raw.startsWith('][')) {
      const index = open.findLastIndex((one) => one.raw.endsWith('['))
      if (index >= 0) close(index, raw)
      else parts.push(words(raw))
    } else if (/^[*_~]/.test(raw)) {
      const [before, after] = [text.charAt(match.index - 1), text.charAt(end)]
      const index = open.findLastIndex((one) => one.raw === raw)
      const closes = /\S/.test(before) && !(raw.startsWith('_') && /[\p{L}\p{N}]/u.test(after))
      const opens = /\S/.test(after) && !(raw.startsWith('_') && /[\p{L}\p{N}]/u.test(before))
      if (index >= 0 && closes) close(index, raw)
      else if (opens) begin(raw)
      else parts.push(words(raw))
    } else parts.push({ kind: 'kept', id: ids.next(), raw })
  }
  if (at < text.length) parts.push(words(text.slice(at)))
  for (const { at: lone } of open) demote(parts, lone)
  return parts
}

function demote(parts: Part[], at: number): void {
  const { raw } = parts[at] as Mark
  parts[at] = words(raw)
}
