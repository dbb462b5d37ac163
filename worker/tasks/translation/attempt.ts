/** @module One generation for one piece: asked, read, counted. */

import type { Engine, GenerateRequest, Prompt, Sampling } from '../../engine/types.ts'
import { type AnswerPart, AnswerSplitter } from '../tools/index.ts'
import type { Grant } from './budget.ts'
import { beginsBadly } from './checks.ts'

/** Tokens since the last step; the prompt's come with the first token after it. */
export interface Counts {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly reasoningTokens: number
}

export interface Step {
  readonly counts: Counts
  /** More of the translation, which will not be taken back. */
  readonly delta?: string
}

export interface Attempt {
  readonly prompt: Prompt
  readonly sampling: Pick<Sampling, 'temperature' | 'seed'>
  readonly stop: readonly string[]
  readonly cacheKey: string
  readonly grant: Grant
  /** The words of the input, to tell talk from translation. */
  readonly source: string
  /** Text may be shown as it comes, once its beginning looks like a translation. */
  readonly live: boolean
}

export interface Answer {
  readonly text: string
  /** What was shown of it: a prefix of the trimmed text. */
  readonly shown: string
  /** Its bound ended it. */
  readonly cut: boolean
}

/** UTF-16 units after which a beginning is judged. */
const HEAD = 64
const NOTHING = { promptTokens: 0, cachedTokens: 0 }

/** @throws EngineError; ApiError from the budget */
export async function* attempt(
  { prompt, sampling, stop, cacheKey, grant, source, live }: Attempt,
  engine: Engine,
  signal: AbortSignal,
): AsyncGenerator<Step, Answer> {
  const request: GenerateRequest = {
    prompt,
    maxPromptTokens: engine.info.contextLength,
    maxTokens: engine.info.contextLength,
    sampling: { topP: 1, presencePenalty: 0, frequencyPenalty: 0, ...sampling },
    stop,
    cacheKey,
    limit: grant.limit,
  }
  const reading = new Reading(engine, live, source)
  let told = 0
  let counts: { promptTokens: number; cachedTokens: number } = NOTHING
  try {
    for await (const event of engine.generate(request, signal)) {
      if (event.type === 'prompt') {
        counts = { promptTokens: event.promptTokens, cachedTokens: event.cachedTokens }
        reading.begin(event.reasoning === true)
      } else if (event.type === 'text') {
        const { delta, reasoningTokens } = reading.push(event.text, event.tokens)
        told += event.tokens
        yield { counts: { ...counts, completionTokens: event.tokens, reasoningTokens }, delta }
        counts = NOTHING
        // A refusal is as well known by its beginning as by its end.
        if (reading.isHopeless) return reading.answer(false)
      } else if (event.type === 'end') {
        const completionTokens = event.completionTokens - told
        told = event.completionTokens
        yield { counts: { ...counts, completionTokens, reasoningTokens: 0 }, delta: reading.end() }
        return reading.answer(event.finishReason === 'length')
      }
    }
    return reading.answer(false)
  } finally {
    grant.release(told)
  }
}

/** The text of an answer without the model's reasoning, and what of it may be shown. */
class Reading {
  readonly #engine: Engine
  readonly #source: string
  #live: boolean
  #splitter: AnswerSplitter | undefined
  #text = ''
  #shown = ''

  constructor(engine: Engine, live: boolean, source: string) {
    this.#engine = engine
    this.#live = live
    this.#source = source
  }

  begin(insideReasoning: boolean): void {
    const { reasoning } = this.#engine.info
    if (reasoning) this.#splitter = new AnswerSplitter({ reasoning, insideReasoning, tools: new Set() })
  }

  push(text: string, tokens: number): { delta: string; reasoningTokens: number } {
    if (!this.#splitter) {
      this.#text += text
      return { delta: this.#show(), reasoningTokens: 0 }
    }
    const parts = this.#splitter.push(text)
    this.#add(parts)
    const isReasoning =
      parts.length > 0 ? parts.every(({ type }) => type === 'reasoning') : this.#splitter.inReasoning
    return { delta: this.#show(), reasoningTokens: isReasoning ? tokens : 0 }
  }

  end(): string {
    if (this.#splitter) this.#add(this.#splitter.end())
    return this.#show()
  }

  get isHopeless(): boolean {
    return (
      this.#shown === '' && this.#text.length >= HEAD && beginsBadly(this.#text, this.#source) === 'refused'
    )
  }

  answer(cut: boolean): Answer {
    return { text: this.#text, shown: this.#shown, cut }
  }

  #add(parts: readonly AnswerPart[]): void {
    for (const part of parts) if (part.type === 'content') this.#text += part.text
  }

  /** What is new and may be shown: nothing before the beginning is judged, and no blanks at the end. */
  #show(): string {
    if (!this.#live) return ''
    const text = this.#text.trim()
    if (text.length < HEAD) return ''
    if (this.#shown === '' && (/^["“„«「`]/.test(text) || beginsBadly(text, this.#source))) {
      this.#live = false
      return ''
    }
    const delta = text.slice(this.#shown.length)
    this.#shown = text
    return delta
  }
}
