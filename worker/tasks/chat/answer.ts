/** @module One choice of an answer, read from the engine's events: reasoning, content, calls and the end. */

import { randomBytes } from 'node:crypto'
import type { EngineEvent, TokenLogprob } from '../../engine/types.ts'
import type { Reader, Reading } from '../generation.ts'
import { LogprobTrack } from '../logprobs.ts'
import { type AnswerPart, AnswerSplitter, type SplitterOptions } from '../tools/index.ts'
import { inputOf } from './custom-tool.ts'

export type FinishReason = 'stop' | 'length' | 'tool_calls'

/** What a choice is made of, in order: `start`, anything of the others, `end`. */
export type ChoicePart =
  /** The prompt is read. */
  | { readonly type: 'start' }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'content'; readonly text: string; readonly logprobs?: readonly TokenLogprob[] }
  | {
      readonly type: 'call'
      readonly index: number
      readonly id: string
      readonly name: string
      readonly custom: boolean
    }
  /** More of a call's arguments; of a custom tool's call its input, in one part. */
  | { readonly type: 'arguments'; readonly index: number; readonly text: string }
  | { readonly type: 'end'; readonly finishReason: FinishReason }

export interface AnswerOptions extends Omit<SplitterOptions, 'insideReasoning'> {
  /** Names of the tools that take a text instead of JSON arguments. */
  readonly customTools: ReadonlySet<string>
  /** Most calls in one answer. */
  readonly mostCalls: number
}

/** Reads one choice of a chat. */
export class Answer implements Reader<ChoicePart> {
  readonly #options: AnswerOptions
  #splitter: AnswerSplitter
  #calls = 0
  /** Of the custom tool's call that is being written: its arguments so far. */
  #custom: { readonly index: number; json: string } | undefined
  readonly #chances = new LogprobTrack()

  constructor(options: AnswerOptions) {
    this.#options = options
    this.#splitter = new AnswerSplitter(options)
  }

  read(event: EngineEvent): Reading<ChoicePart> {
    if (event.type === 'text') return this.#text(event)
    if (event.type === 'end') return { parts: this.#end(event.finishReason) }
    if (event.type !== 'prompt') return { parts: [] }
    this.#splitter = new AnswerSplitter({ ...this.#options, insideReasoning: event.reasoning ?? false })
    return { parts: [{ type: 'start' }] }
  }

  cut(): ChoicePart[] {
    return this.#end('length')
  }

  #text({ text, tokens, logprobs }: EngineEvent & { type: 'text' }): Reading<ChoicePart> {
    this.#chances.add(text, logprobs)
    const before = this.#splitter.inReasoning
    const found = this.#splitter.push(text)
    const reasoningTokens = before || this.#splitter.inReasoning ? tokens : 0
    const parts = found.flatMap((part) => this.#translate(part))
    if (this.#calls <= this.#options.mostCalls) return { parts, reasoningTokens }
    return { parts: [...parts, ...this.#finish('tool_calls')], reasoningTokens, done: true }
  }

  #end(reason: 'stop' | 'length'): ChoicePart[] {
    const parts = this.#splitter.end().flatMap((part) => this.#translate(part))
    const stopped = this.#calls > 0 ? 'tool_calls' : 'stop'
    return [...parts, ...this.#finish(reason === 'length' ? 'length' : stopped)]
  }

  #finish(finishReason: FinishReason): ChoicePart[] {
    return [...this.#customInput(), { type: 'end', finishReason }]
  }

  /** Calls beyond the most that are wanted come to nothing. */
  #translate(part: AnswerPart): ChoicePart[] {
    if (part.type === 'call') return this.#call(part)
    if (part.type === 'arguments') return this.#arguments(part)
    if (part.type === 'reasoning') return [{ type: 'reasoning', text: part.text }]
    const logprobs = this.#chances.take(part)
    return [{ type: 'content', text: part.text, ...(logprobs && { logprobs }) }]
  }

  #call({ index, name }: AnswerPart & { type: 'call' }): ChoicePart[] {
    const before = this.#customInput()
    this.#calls++
    if (index >= this.#options.mostCalls) return before
    const custom = this.#options.customTools.has(name)
    if (custom) this.#custom = { index, json: '' }
    return [...before, { type: 'call', index, id: callId(), name, custom }]
  }

  #arguments({ index, text }: AnswerPart & { type: 'arguments' }): ChoicePart[] {
    if (index >= this.#options.mostCalls) return []
    if (this.#custom?.index !== index) return [{ type: 'arguments', index, text }]
    this.#custom.json += text
    return []
  }

  /** A custom tool's input is told when its call is whole. */
  #customInput(): ChoicePart[] {
    const call = this.#custom
    this.#custom = undefined
    return call ? [{ type: 'arguments', index: call.index, text: inputOf(call.json) }] : []
  }
}

/** Ids are random: clients send them back, together with those of other answers. */
function callId(): string {
  return `call_${randomBytes(12).toString('hex')}`
}
