/** @module One text of a request: what is done with it, and what becomes of it. */

import type { ModelInfo } from '../../engine/types.ts'
import { type ApiError, type ApiErrorObject, invalidRequest } from '../../protocol/errors.ts'
import { detectLanguage, hasLetters } from '../../protocol/language/index.ts'
import type { TranslationInput, TranslationItem, TranslationRequest } from '../../protocol/translation.ts'
import type { Fault } from './checks.ts'
import { type Codec, codecOf, type Parsed, parse } from './formats/index.ts'
import { isSameLanguage, resolveLanguage } from './languages.ts'
import { isSlot, type Part, wordsOf, write } from './rich.ts'
import { type Segment, segmentsOf } from './segments.ts'
import type { Style } from './styles.ts'
import type { Outcome } from './translate.ts'

/** A text, taken apart, with the language that it is in. */
export interface Plan {
  readonly index: number
  readonly input: TranslationInput
  readonly parsed: Parsed
  readonly codec: Codec
  /** `und` for a text without a letter, or whose language is not clear. */
  readonly source: string
  /** Empty when the text is its own translation, or cannot be translated. */
  readonly segments: readonly Segment[]
  readonly error?: ApiError
}

/** @throws ApiError 400 for a source language that the model lacks */
export function planItem(
  request: TranslationRequest,
  index: number,
  target: string,
  info: ModelInfo,
  style: Style,
): Plan {
  const input = request.input[index] ?? { text: '' }
  const parsed = parse(input, request.format)
  const plan = { index, input, parsed, codec: codecOf(request.format) }
  const words = wordsOf(parsed.parts)
  if (!hasLetters(words)) return { ...plan, source: 'und', segments: [] }
  const source = sourceOf(request, parsed.parts, info)
  if (source === undefined && style.needsSource) {
    return { ...plan, source: 'und', segments: [], error: languageNotClear(index) }
  }
  if (source !== undefined && isSameLanguage(source, target)) return { ...plan, source, segments: [] }
  return { ...plan, source: source ?? 'und', segments: segmentsOf(parsed.parts, source ?? 'en', style.cut) }
}

function sourceOf(request: TranslationRequest, parts: readonly Part[], info: ModelInfo): string | undefined {
  if (request.sourceLanguage !== 'auto')
    return resolveLanguage(request.sourceLanguage, info, 'source_language')
  const words = parts.map((part) => (part.kind === 'words' ? part.text : ' ')).join('')
  return detectLanguage(words, info.languages)
}

function languageNotClear(index: number): ApiError {
  return invalidRequest(
    'source_language',
    `The language of input ${index} is not clear; name it in 'source_language'.`,
    'language_not_detected',
  )
}

/** Collects the pieces of a text and tells what of it may be shown, in order. */
export class Assembly {
  readonly #plan: Plan
  readonly #outcomes: (Outcome | undefined)[]
  readonly #texts: string[]
  /** The segment that is shown now, and how much of it was. */
  #at = 0
  #shown = 0

  constructor(plan: Plan) {
    this.#plan = plan
    this.#outcomes = plan.segments.map(({ core }) =>
      core.length === 0 ? { parts: [], wrong: [], terms: [], shown: '' } : undefined,
    )
    this.#texts = plan.segments.map((segment, at) => (this.#outcomes[at] ? this.#text(segment, at) : ''))
  }

  /** A piece goes on. @returns what may be shown */
  push(at: number, delta: string): string {
    if (this.#texts[at] === '')
      this.#texts[at] = write(this.#plan.segments[at]?.before ?? [], this.#plan.codec.encode)
    this.#texts[at] += delta
    return this.next()
  }

  /** A piece is finished. @returns what may be shown */
  finish(at: number, outcome: Outcome): string {
    const segment = this.#plan.segments[at]
    if (!segment) return ''
    const usable = outcome.shown !== '' || !isTalk(outcome.fault)
    this.#outcomes[at] = usable ? outcome : { ...outcome, parts: segment.core }
    this.#texts[at] = this.#text(segment, at)
    return this.next()
  }

  /** What may be shown and was not yet. */
  next(): string {
    let text = ''
    while (this.#at < this.#texts.length) {
      const available = this.#texts[this.#at] ?? ''
      text += available.slice(this.#shown)
      this.#shown = available.length
      if (!this.#outcomes[this.#at]) break
      this.#at += 1
      this.#shown = 0
    }
    return text
  }

  get isDone(): boolean {
    return this.#outcomes.every((outcome) => outcome !== undefined)
  }

  get faults(): Fault[] {
    return this.#outcomes.flatMap((outcome) => outcome?.fault ?? [])
  }

  /** The text's part of the answer. */
  item(request: TranslationRequest, alternatives: readonly Assembly[]): TranslationItem {
    const { index, input, parsed, source, segments, codec, error } = this.#plan
    const parts = segments.length > 0 ? this.#parts() : parsed.parts
    const text = segments.length > 0 ? write(parts, codec.encode) : input.text
    const others = alternatives
      .filter((one) => one.isDone && one.faults.length === 0)
      .map((one) => one.#whole())
    const problem = error?.object() ?? this.#error()
    return {
      index,
      text,
      detected_source_language: source,
      ...(parsed.entities && { entities: parsed.entities(parts) }),
      ...(request.alternatives > 0 && { alternatives: [...new Set(others)].filter((one) => one !== text) }),
      ...(request.glossary.length > 0 && { glossary: this.#terms() }),
      ...(problem && { error: problem }),
    }
  }

  #text({ before, after }: Segment, at: number): string {
    return write([...before, ...(this.#outcomes[at]?.parts ?? []), ...after], this.#plan.codec.encode)
  }

  #whole(): string {
    return write(this.#parts(), this.#plan.codec.encode)
  }

  #parts(): Part[] {
    return this.#plan.segments.flatMap(({ before, after }, at) => [
      ...before,
      ...(this.#outcomes[at]?.parts ?? []),
      ...after,
    ])
  }

  #terms(): { source: string; target: string; applied: boolean }[] {
    const terms = new Map<string, { source: string; target: string; applied: boolean }>()
    for (const { term, applied } of this.#outcomes.flatMap((outcome) => outcome?.terms ?? [])) {
      const before = terms.get(term.source)?.applied ?? true
      terms.set(term.source, { ...term, applied: before && applied })
    }
    return [...terms.values()]
  }

  #error(): ApiErrorObject | undefined {
    const [fault] = this.faults.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
    if (fault === undefined) return undefined
    const wrong = new Set(this.#outcomes.flatMap((outcome) => outcome?.wrong ?? []))
    const all = this.#plan.parsed.parts.filter(isSlot).length
    const [code, message] = faults[fault]
    return {
      type: 'translation_error',
      param: `input[${this.#plan.index}]`,
      code,
      message: message.replace('$wrong', `${wrong.size}`).replace('$all', `${Math.max(all, wrong.size)}`),
    }
  }
}

/** Nothing of it is a translation: the input is more useful. */
function isTalk(fault: Fault | undefined): boolean {
  return fault === 'refused' || fault === 'chatter' || fault === 'empty'
}

const again = 'It was tried in several ways.'
const faults: Readonly<Record<Fault, readonly [code: string, message: string]>> = {
  refused: [
    'refused',
    `The model refuses to translate a part of this text, which is left as it was. ${again}`,
  ],
  empty: [
    'empty_translation',
    `The model says nothing for a part of this text, which is left as it was. ${again}`,
  ],
  chatter: [
    'not_a_translation',
    `The model talks about a part of this text instead of translating it. ${again}`,
  ],
  lost: [
    'placeholder_lost',
    `The translation lost or changed $wrong of the $all parts that must stay as they are (placeholders, addresses, code, markup). ${again} Do not use it unseen.`,
  ],
  cut: [
    'output_truncated',
    "The translation ended early: the request's bounds, or the model's context, did not allow more. Raise the maximum charge or shorten the text.",
  ],
  long: ['context_length_exceeded', 'A part of this text is too long for the model, and is left as it was.'],
  language: [
    'wrong_language',
    `A part of the translation does not seem to be in the target language. ${again}`,
  ],
  untranslated: ['not_translated', `The model gave a part of this text back unchanged. ${again}`],
  glossary: ['glossary_not_applied', `The translation does not use all terms of the glossary. ${again}`],
}
/** Which of several faults an error tells. */
const order = Object.keys(faults)
