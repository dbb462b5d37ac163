/** @module A text cut where sentences end, so that each piece can be translated by itself. */

import { hasLetters } from '../../protocol/language/index.ts'
import { joined, type Part, words, wordsOf } from './rich.ts'

/** A piece of a text. Joined again, all parts of all pieces are the text. */
export interface Segment {
  readonly before: readonly Part[]
  /** What is translated; empty where there is nothing to translate. */
  readonly core: readonly Part[]
  readonly after: readonly Part[]
}

export interface Cut {
  /** `sentences`: each by itself; `pieces`: as many together as fit. */
  readonly into: 'sentences' | 'pieces'
  /** The most bytes of a segment; a longer sentence is cut between words. */
  readonly bytes: number
}

/** Cuts a text into segments. */
export function segmentsOf(parts: readonly Part[], language: string, cut: Cut): Segment[] {
  const sentences = sentencesOf(parts, language).flatMap((sentence) => cutLong(sentence, cut.bytes))
  const pieces = cut.into === 'sentences' ? sentences : merge(sentences, cut.bytes)
  return pieces.map((piece) => trim(joined(piece)))
}

/** The sentences and lines of a text, in order, nothing lost. */
export function sentencesOf(parts: readonly Part[], language: string): Part[][] {
  const segmenter = new Intl.Segmenter(language, { granularity: 'sentence' })
  const sentences: Part[][] = []
  let line: Part[] = []
  const endLine = () => {
    if (line.length > 0) for (const sentence of sentencesOfLine(line, segmenter)) sentences.push(sentence)
    line = []
  }
  for (const part of parts) {
    if (part.kind === 'kept' && part.block) {
      endLine()
      sentences.push([part])
    } else if (part.kind !== 'words') line.push(part)
    else {
      for (const [index, text] of part.text.split(/(\n\s*)/).entries()) {
        if (index % 2 === 1) {
          endLine()
          sentences.push([words(text)])
        } else if (text !== '') line.push(words(text))
      }
    }
  }
  endLine()
  return sentences
}

/** Stands for something kept, as a name would; marks are nothing that a reader sees. */
const STAND_IN = 'X'

function sentencesOfLine(line: readonly Part[], segmenter: Intl.Segmenter): Part[][] {
  if (!hasLetters(wordsOf(line))) return [[...line]]
  const flat = line
    .map((part) => (part.kind === 'words' ? part.text : part.kind === 'kept' ? STAND_IN : ''))
    .join('')
  const ends = [...segmenter.segment(flat)].map(({ index, segment }) => index + segment.length)
  const sentences: Part[][] = [[]]
  let at = 0
  let next = 0
  for (const part of line) {
    if (part.kind !== 'words') {
      // A mark that opens behind the end of a sentence belongs to the next, one that closes to the last.
      if (at === ends[next] && part.kind !== 'close' && next < ends.length - 1) {
        sentences.push([])
        next++
      }
      sentences.at(-1)?.push(part)
      at += part.kind === 'kept' ? 1 : 0
      continue
    }
    for (let from = 0; from < part.text.length; ) {
      if (at === ends[next] && next < ends.length - 1) {
        sentences.push([])
        next++
      }
      const length = Math.min(part.text.length - from, (ends[next] ?? flat.length) - at)
      sentences.at(-1)?.push(words(part.text.slice(from, from + length)))
      from += length
      at += length
    }
  }
  return sentences
}

export const bytesOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + Buffer.byteLength(part.kind === 'words' ? part.text : part.raw), 0)

/** A sentence of too many bytes, cut between words where it has any. */
function cutLong(sentence: Part[], bytes: number): Part[][] {
  if (bytesOf(sentence) <= bytes) return [sentence]
  const pieces: Part[][] = []
  let piece: Part[] = []
  let size = 0
  for (const part of sentence.flatMap((one) =>
    one.kind === 'words' ? wordByWord(one.text, bytes) : [one],
  )) {
    const more = bytesOf([part])
    if (size > 0 && size + more > bytes) {
      pieces.push(piece)
      piece = []
      size = 0
    }
    piece.push(part)
    size += more
  }
  return [...pieces, piece]
}

/** Words with the space behind them; what has no spaces, in parts of whole characters. */
function wordByWord(text: string, bytes: number): Part[] {
  return (text.match(/\s*\S+\s?|\s+/g) ?? []).flatMap((word) => {
    if (Buffer.byteLength(word) <= bytes) return [words(word)]
    const most = Math.max(1, Math.floor(bytes / 4))
    const characters = [...word]
    return Array.from({ length: Math.ceil(characters.length / most) }, (_, index) =>
      words(characters.slice(index * most, (index + 1) * most).join('')),
    )
  })
}

/** Neighbours together up to so many bytes; from half of that on, a paragraph's end ends the piece. */
function merge(sentences: readonly Part[][], bytes: number): Part[][] {
  const pieces: Part[][] = []
  let size = 0
  for (const sentence of sentences) {
    const more = bytesOf(sentence)
    const last = pieces.at(-1)
    const isFull = size + more > bytes || (size > bytes / 2 && endsParagraph(last?.at(-1)))
    if (last && !isFull) for (const part of sentence) last.push(part)
    else pieces.push([...sentence])
    size = last && !isFull ? size + more : more
  }
  return pieces
}

function endsParagraph(part: Part | undefined): boolean {
  return part?.kind === 'words' ? part.text.endsWith('\n') : part?.kind === 'kept' && part.block === true
}

/** Takes white space, and what is not around or between words, from the ends of a piece. */
export function trim(piece: readonly Part[]): Segment {
  if (!hasLetters(wordsOf(piece))) return { before: piece, core: [], after: [] }
  const halves = new Map<number, number>()
  for (const part of piece) if (part.kind !== 'words') halves.set(part.id, (halves.get(part.id) ?? 0) + 1)
  /** Blocks, blanks, and marks whose other half is elsewhere or was just taken away. */
  const isEdge = (part: Part | undefined, outer: 'open' | 'close'): boolean => {
    if (!part) return false
    if (part.kind === 'words') return part.text.trim() === ''
    if (part.kind === 'kept') return part.block === true
    if (halves.get(part.id) === 2 && part.kind === outer) return false
    halves.set(part.id, (halves.get(part.id) ?? 1) - 1)
    return true
  }
  let [start, end] = [0, piece.length]
  for (;;) {
    const [first, last] = [piece[start], piece[end - 1]]
    const isAround = first?.kind === 'open' && last?.kind === 'close' && first.id === last.id
    if (isAround || isEdge(first, 'open')) start++
    if (isAround) end--
    else if (start < end && isEdge(piece[end - 1], 'close')) end--
    else if (piece[start] === first) break
  }
  return splitSpace(piece.slice(0, start), piece.slice(start, end), piece.slice(end))
}

function splitSpace(before: readonly Part[], core: readonly Part[], after: readonly Part[]): Segment {
  const [first, last] = [core[0], core.at(-1)]
  const lead = first?.kind === 'words' ? first.text.slice(0, -first.text.trimStart().length) : ''
  const tail = last?.kind === 'words' ? last.text.slice(last.text.trimEnd().length) : ''
  const trimmed = core.map((part) => {
    if (part.kind !== 'words') return part
    const text = part === first ? part.text.slice(lead.length) : part.text
    return words(part === last ? text.slice(0, text.length - tail.length) : text)
  })
  return {
    before: lead === '' ? before : [...before, words(lead)],
    core: trimmed,
    after: tail === '' ? after : [words(tail), ...after],
  }
}
