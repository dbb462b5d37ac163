import { hasLetters } from '../../protocol/language/index.ts'

/** A piece of a text: something to translate, or what stands between (`plain`) and is kept as it is. */
export interface Segment {
  readonly text: string
  readonly plain: boolean
}

/**
 * Cuts a text into sentences and lines, for a model that was trained on single sentences. Joined again, the
 * segments are the text, and no two that are plain follow each other.
 */
export function sentences(text: string, language: string): Segment[] {
  const segmenter = new Intl.Segmenter(language, { granularity: 'sentence' })
  const segments: Segment[] = []
  const add = (part: string, plain: boolean) => {
    const last = segments.at(-1)
    if (part === '') return
    if (plain && last?.plain) segments[segments.length - 1] = { text: last.text + part, plain }
    else segments.push({ text: part, plain })
  }
  for (const { segment } of segmenter.segment(text)) {
    for (const [index, line] of segment.split('\n').entries()) {
      if (index > 0) add('\n', true)
      const core = line.trim()
      const start = line.length - line.trimStart().length
      add(line.slice(0, start), true)
      add(core, !hasLetters(core))
      add(line.slice(start + core.length), true)
    }
  }
  return segments
}
