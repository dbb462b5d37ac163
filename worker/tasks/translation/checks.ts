/** @module Is this a translation? What models say instead of one. */

import { detectLanguage, hasLetters } from '../../protocol/language/index.ts'

/** What may be wrong with an answer; the later in the list, the worse. */
export const FAULTS = [
  'glossary',
  'untranslated',
  'language',
  'lost',
  'chatter',
  'cut',
  'refused',
  'empty',
  'long',
] as const
export type Fault = (typeof FAULTS)[number]

const opening =
  /^(?:sure|certainly|of course|okay|here(?:'s| is| are| you)|the translation|translation|translated text|in \p{L}+ (?:this|it) (?:is|means))\b[^\n]{0,120}?(?::\s*\n|:\s|\n)/iu
const closing =
  /\n+\s*(?:\(?note\b|explanation\b|\(?translator'?s note|let me know\b|i hope this)[^\n]*(?:\n[\s\S]*)?$/i
const refusal =
  /^(?:i'?m sorry,? (?:but )?(?:i|as)|i (?:can'?t|cannot|can not|am unable to|'?m unable to|'?m not able to) (?:assist|help|translate|fulfil|comply|provide)|as an ai\b|i apologi[sz]e,? but i|很抱歉，(?:但)?我(?:不能|无法)|抱歉，我(?:不能|无法))/i
const fenced = /^```[^\n]*\n([\s\S]*?)\n```$/
const quotes = [
  ['"', '"'],
  ['“', '”'],
  ['„', '“'],
  ['«', '»'],
  ['「', '」'],
] as const

/** An answer without what a model wraps a translation in; only where the input has no such thing itself. */
export function unwrap(answer: string, source: string): string {
  let text = answer.trim()
  const fence = source.startsWith('```') ? undefined : fenced.exec(text)?.[1]
  text = fence ?? text
  for (const [open, close] of quotes) {
    const inner = text.slice(1, -1)
    const wrapped = text.length > 2 && text.startsWith(open) && text.endsWith(close) && !inner.includes(close)
    if (wrapped && !/^["“„«「]/.test(source.trim())) text = inner.trim()
  }
  return text
}

/** The beginning of an answer is talk about the translation, or a refusal to make one. */
export function beginsBadly(head: string, source: string): Fault | undefined {
  const clean = head.replaceAll('’', "'").trimStart()
  if (refusal.test(clean) && !refusal.test(source.replaceAll('’', "'").trimStart())) return 'refused'
  return opening.test(clean) && !opening.test(source) ? 'chatter' : undefined
}

export interface Checked {
  /** Words of the input and of the answer. */
  readonly source: string
  readonly answer: string
  readonly from: string
  readonly to: string
  /** Languages of the model, when it names them. */
  readonly languages?: readonly string[]
  /** The answer was cut by its bound. */
  readonly cut: boolean
  /** Placeholders and marks of the input: an answer may be hardly more than these. */
  readonly slots: number
}

/** What is wrong with an answer, whatever its slots. */
export function faultOf({ source, answer, from, to, languages, cut, slots }: Checked): Fault | undefined {
  if (slots === 0 && !hasLetters(answer) && !/\p{N}|\p{S}/u.test(answer)) return 'empty'
  const bad = beginsBadly(answer, source)
  if (bad) return bad
  if (cut) return 'cut'
  const grew = !source.includes('\n') && /\n\s*\n/.test(answer)
  if (grew && slots === 0) return 'chatter'
  if (closing.test(answer) && !closing.test(source)) return 'chatter'
  if (isUntranslated(source, answer)) return 'untranslated'
  return isOtherLanguage(answer, from, to, languages) ? 'language' : undefined
}

const wordsIn = (text: string): number => text.match(/[\p{L}\p{M}]{2,}/gu)?.length ?? 0

/** The same again. Names and single words may well be the same in both languages. */
function isUntranslated(source: string, answer: string): boolean {
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim()
  return wordsIn(source) >= 4 && plain(source) === plain(answer)
}

/** Clearly in the input's language, or in another script than the target's; short answers tell nothing. */
function isOtherLanguage(answer: string, from: string, to: string, languages?: readonly string[]): boolean {
  const letters = answer.match(/\p{L}/gu)?.length ?? 0
  if (letters < 12) return false
  const target = new Intl.Locale(to).maximize()
  const script = scripts[target.script ?? '']
  if (script && (answer.match(script)?.length ?? 0) * 4 < letters) return true
  if (from === 'und' || wordsIn(answer) < 8) return false
  const [source, wanted] = [new Intl.Locale(from).language, target.language]
  if (source === wanted) return false
  return detectLanguage(answer, languages ?? [source, wanted]) === source
}

/** Scripts that answers are looked at for; a language with none of these is not judged by its script. */
const scripts: Readonly<Record<string, RegExp>> = {
  Latn: /\p{Script=Latin}/gu,
  Cyrl: /\p{Script=Cyrillic}/gu,
  Grek: /\p{Script=Greek}/gu,
  Arab: /\p{Script=Arabic}/gu,
  Hebr: /\p{Script=Hebrew}/gu,
  Hans: /\p{Script=Han}/gu,
  Hant: /\p{Script=Han}/gu,
  Jpan: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu,
  Kore: /[\p{Script=Hangul}\p{Script=Han}]/gu,
  Thai: /\p{Script=Thai}/gu,
  Deva: /\p{Script=Devanagari}/gu,
}
