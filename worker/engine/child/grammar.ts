/** @module Grammars: parsed before anything is computed, and held from the start or from a trigger on. */

import {
  type Llama,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { EngineError } from '../errors.ts'
import { type Grammar, type ModelInfo, maxGrammarLength } from '../types.ts'
import { type Gbnf, parseGbnf } from './gbnf.ts'
import { isTooCostly } from './grammar-cost.ts'
import { acceptToken, type NativeGrammar, nativeGrammar } from './library.ts'
import { TriggerWatch } from './triggers.ts'

/** What grammars need of a loaded model. */
export interface GrammarHost {
  readonly llama: Llama
  readonly model: LlamaModel
  /** Plain text to tokens whose texts, joined, are that text. */
  readonly tokenize: (text: string) => readonly number[]
  /** Marks around the model's reasoning. */
  readonly reasoning?: ModelInfo['reasoning']
}

/** What has become of a text in which a trigger was found. */
export interface Triggered {
  /** How much of the text stays: all, or up to the trigger's end where the grammar refuses what follows. */
  readonly keep: number
}

/** A grammar that llama.cpp has parsed, and that takes each of its triggers. */
export class ParsedGrammar {
  readonly #host: GrammarHost
  readonly #grammar: LlamaGrammar
  readonly #triggers: readonly string[]

  private constructor(host: GrammarHost, grammar: LlamaGrammar, triggers: readonly string[]) {
    this.#host = host
    this.#grammar = grammar
    this.#triggers = triggers
  }

  /** @throws {EngineError} `ERR_BAD_GRAMMAR` */
  static async parse(host: GrammarHost, { gbnf, triggers = [] }: Grammar): Promise<ParsedGrammar> {
    if (gbnf.length > maxGrammarLength) throw bad(`it has more than ${maxGrammarLength} characters`)
    examine(gbnf)
    const parsed = new ParsedGrammar(host, await parse(host, gbnf), triggers)
    for (const trigger of triggers) {
      if (trigger === '') throw bad('a trigger is empty')
      if (!accept(host, parsed.#newState(), trigger)) throw bad('it does not begin with its trigger')
    }
    return parsed
  }

  /** For one answer; `inside`: it begins inside the model's reasoning. */
  begin(inside: boolean): ActiveGrammar {
    const { reasoning } = this.#host
    const triggers = this.#triggers
    const watch =
      triggers.length > 0
        ? new TriggerWatch({ triggers, inside, ...(reasoning && { reasoning }) })
        : undefined
    return new ActiveGrammar(this.#host, this.#newState(), watch)
  }

  #newState(): LlamaGrammarEvaluationState {
    return new LlamaGrammarEvaluationState({ model: this.#host.model, grammar: this.#grammar })
  }
}

/** The grammar of one answer. */
export class ActiveGrammar {
  readonly #host: GrammarHost
  #state: LlamaGrammarEvaluationState
  /** Undefined once the grammar holds. */
  #watch: TriggerWatch | undefined

  constructor(host: GrammarHost, state: LlamaGrammarEvaluationState, watch: TriggerWatch | undefined) {
    this.#host = host
    this.#state = state
    this.#watch = watch
  }

  /** What the sampler needs while the grammar holds; undefined before. */
  get native(): NativeGrammar | undefined {
    return this.#watch ? undefined : nativeGrammar(this.#state)
  }

  /**
   * Follows the answer's text until a trigger is found, from where on the grammar holds. The trigger and the text
   * behind it are given to the grammar; what it refuses behind the trigger, the caller has to take back.
   */
  watch(text: string): Triggered | undefined {
    const found = this.#watch?.push(text)
    if (!found) return undefined
    const { trigger, behind } = found
    const kept = text.length - behind
    const whole = accept(this.#host, this.#state, trigger + text.slice(kept))
    const state = whole ?? accept(this.#host, this.#state, trigger)
    if (!state) throw bad('it does not begin with its trigger')
    this.#state = state
    this.#watch = undefined
    return { keep: whole ? text.length : kept }
  }
}

/** The state after this text; undefined when the grammar refuses it. */
function accept(
  { model, tokenize }: GrammarHost,
  from: LlamaGrammarEvaluationState,
  text: string,
): LlamaGrammarEvaluationState | undefined {
  const state = from.clone()
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

/** llama.cpp's parser and its way of following a grammar have no bounds of their own. */
function examine(gbnf: string): void {
  let grammar: Gbnf
  try {
    grammar = parseGbnf(gbnf)
  } catch (cause) {
    if (cause instanceof SyntaxError) throw bad(cause.message)
    throw cause
  }
  if (isTooCostly(grammar))
    throw bad('some text has too many readings in it (left recursion has no end of them)')
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
