/** @module Grammars: parsed before anything is computed, and held from the start or from a trigger on. */

import {
  type Llama,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { EngineError } from '../errors.ts'
import { type Grammar, maxGrammarLength } from '../types.ts'
import { acceptToken, type NativeGrammar, nativeGrammar } from './library.ts'

/** llama.cpp parses nested groups by recursion, on a stack that ends somewhere. */
export const maxGrammarDepth = 256

/** What grammars need of a loaded model. */
export interface GrammarHost {
  readonly llama: Llama
  readonly model: LlamaModel
  /** Plain text to tokens whose texts, joined, are that text. */
  readonly tokenize: (text: string) => readonly number[]
}

/** What has become of a text in which a trigger was found. */
export interface Triggered {
  /** How much of the text stays: all, or up to the trigger's end where the grammar refuses what follows. */
  readonly keep: number
}

/** The grammar of one answer. */
export class ActiveGrammar {
  readonly #host: GrammarHost
  readonly #triggers: readonly string[]
  #state: LlamaGrammarEvaluationState
  /** The grammar holds. */
  #holds: boolean
  /** The end of the text so far, where a trigger may have begun. */
  #tail = ''

  private constructor(host: GrammarHost, state: LlamaGrammarEvaluationState, triggers: readonly string[]) {
    this.#host = host
    this.#state = state
    this.#triggers = triggers
    this.#holds = triggers.length === 0
  }

  /** @throws {EngineError} `ERR_BAD_GRAMMAR` */
  static async open(host: GrammarHost, { gbnf, triggers }: Grammar): Promise<ActiveGrammar> {
    if (gbnf.length > maxGrammarLength) throw bad(`it has more than ${maxGrammarLength} characters`)
    if (groupDepth(gbnf) > maxGrammarDepth)
      throw bad(`its groups are nested more than ${maxGrammarDepth} deep`)
    const grammar = await parse(host, gbnf)
    const state = new LlamaGrammarEvaluationState({ model: host.model, grammar })
    const active = new ActiveGrammar(host, state, triggers ?? [])
    for (const trigger of triggers ?? []) {
      if (trigger === '') throw bad('a trigger is empty')
      if (!active.#accept(trigger)) throw bad('it does not begin with its trigger')
    }
    return active
  }

  /** What the sampler needs while the grammar holds; undefined before. */
  get native(): NativeGrammar | undefined {
    return this.#holds ? nativeGrammar(this.#state) : undefined
  }

  /**
   * Follows the answer's text until a trigger is found, from where on the grammar holds. The text from the trigger on
   * is given to the grammar; what it refuses behind the trigger, the caller has to take back.
   */
  watch(text: string): Triggered | undefined {
    if (this.#holds) return undefined
    const all = this.#tail + text
    const found = this.#firstTrigger(all)
    if (!found) {
      const longest = Math.max(...this.#triggers.map(({ length }) => length))
      this.#tail = all.slice(Math.max(0, all.length - longest + 1))
      return undefined
    }
    const { trigger, at } = found
    const whole = this.#accept(all.slice(at))
    const state = whole ?? this.#accept(trigger)
    if (!state) throw bad('it does not begin with its trigger')
    this.#state = state
    this.#holds = true
    return { keep: whole ? text.length : at + trigger.length - this.#tail.length }
  }

  #firstTrigger(text: string): { trigger: string; at: number } | undefined {
    return this.#triggers
      .map((trigger) => ({ trigger, at: text.indexOf(trigger) }))
      .filter(({ at }) => at >= 0)
      .toSorted((a, b) => a.at - b.at)[0]
  }

  /** The state after this text; undefined when the grammar refuses it. */
  #accept(text: string): LlamaGrammarEvaluationState | undefined {
    const { model, tokenize } = this.#host
    const state = this.#state.clone()
    for (const token of tokenize(text)) {
      if (model.isEogToken(token as Token)) return undefined
      try {
        acceptToken(model, nativeGrammar(state), token)
      } catch {
        return undefined
      }
    }
    return state
  }
}

async function parse({ llama }: GrammarHost, gbnf: string): Promise<LlamaGrammar> {
  try {
    return await llama.createGrammar({ grammar: gbnf })
  } catch {
    throw bad('llama.cpp does not parse it; it must be GBNF with a rule root and no left recursion')
  }
}

function bad(problem: string): EngineError {
  return new EngineError('ERR_BAD_GRAMMAR', `the grammar cannot be used: ${problem}`)
}

/** How deep groups are nested, outside of literals, character classes and comments. */
export function groupDepth(gbnf: string): number {
  let depth = 0
  let deepest = 0
  for (const [part] of gbnf.matchAll(/"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|#.*|[()]/g)) {
    if (part === '(') deepest = Math.max(deepest, ++depth)
    if (part === ')') depth--
  }
  return deepest
}
