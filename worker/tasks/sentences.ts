import { hasLetters } from './language.ts'

/** A piece of a text: something to translate, or what stands between (`plain`) and is kept as it is. */
export interface Segment {
  readonly text: string
  readonly plain: boolean
}

/**
 * Cuts a text into sentences and lines, for a model that was trained on single sentences. Joined again, the
 * segments are the text.
 */
export function sentences(text: string, language: string): Segment[] {
  const segmenter = new Intl.Segmenter(language, { granularity: 'sentence' })
  const segments: Segment[] = []
  const add = (part: string, plain: boolean) => {
    if (part !== '') segments.push({ text: part, plain })
  }
  for (const { segment } of segmenter.segment(text)) {
    for (const part of segment.split(/(\s*\n\s*)/)) {
      const core = part.trim()
      const start = part.indexOf(core)
      add(part.slice(0, start), true)
      add(core, !hasLetters(core))
      add(part.slice(start + core.length), true)
    }
  }
  return segments
}
