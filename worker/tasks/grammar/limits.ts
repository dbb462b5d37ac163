/**
 * What a schema may cost. Schemas come from strangers, and small ones can ask for enormous grammars
 * (`({0,1000}){0,1000}`, `allOf` over `anyOf`), so that everything that grows is counted here.
 */

import { maxGrammarLength } from '../../engine/types.ts'

/** The deepest nesting of a schema that is read. */
export const MAX_DEPTH = 100
/** Rules of a grammar. */
export const MAX_RULES = 20_000
/** Characters of a grammar: what the engine takes, but for the room in which others put reasoning and calls around it. */
export const MAX_GRAMMAR_LENGTH = Math.floor(0.75 * maxGrammarLength)
/** Repetitions that llama.cpp counts; it takes a larger number for "any", without a word. */
export const MAX_REPETITIONS = 1999
/** Ways in which the alternatives of one schema may be combined (`anyOf` in `allOf` in `anyOf` …). */
export const MAX_ALTERNATIVES = 512
/** Readings of a text that a grammar may leave open at one time; each costs the engine one more check of its vocabulary. */
export const MAX_READINGS = 64
/** States of the automaton of a pattern, or of a list of values. */
export const MAX_STATES = 10_000

/** Thrown where a limit is passed; the compiler turns it into a 400 that names the place. */
export class TooComplex extends Error {}

/** Steps that compiling the grammars of one request may take in all: well below a second of one core. */
export class Budget {
  #left: number

  constructor(steps = 4_000_000) {
    this.#left = steps
  }

  /** @throws TooComplex when the steps are used up */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new TooComplex('takes too much work to compile')
  }
}
