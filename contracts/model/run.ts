/**
 * Random sequences of messages to a contract, each on a chain of its own, played beside a model of what should happen.
 * Everything follows from one number, so that whatever is found can be played again and shrunk.
 */

import fc from 'fast-check'
import { type NetworkPrices, PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'

/** What was sent and what came of it: the proof that a run went everywhere. */
export class Tally {
  messages = 0
  sequences = 0
  private readonly outcomes = new Map<string, number>()

  /** Counts one message of this kind with this outcome. */
  count(kind: string, outcome: string): void {
    this.messages++
    const name = `${kind}: ${outcome}`
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1)
  }

  /** `kind: outcome` and how often, by name. */
  rows(): [outcome: string, count: number][] {
    return [...this.outcomes].sort(([a], [b]) => a.localeCompare(b))
  }
}

/** A contract under random sequences. */
export interface Subject<Move> {
  name: string
  sequences: fc.Arbitrary<Move[]>
  /** Plays a sequence on a fresh chain. @throws AssertionError where contract and model differ */
  play(moves: Move[], prices: NetworkPrices, tally: Tally): Promise<void>
}

export interface RunOptions {
  /** At least so many messages. */
  messages: number
  seed: number
  /** The path that a failure printed: plays that one sequence again. */
  path?: string
  /** Told after each handful of sequences. */
  progress?: (tally: Tally) => void
}

export interface RunResult {
  tally: Tally
  /** Why contract and model differ, the least sequence that shows it, and how to play it again. */
  failure?: { reason: string; moves: string; seed: number; path: string }
}

/** Sequences between two reports of progress. A failure is shrunk among them. */
const HANDFUL = 10

/** Plays random sequences, at both sets of prices in turn, until enough messages are sent or one finds a difference. */
export async function runModel<Move>(subject: Subject<Move>, options: RunOptions): Promise<RunResult> {
  const tally = new Tally()
  for (let seed = options.seed; tally.messages < options.messages; seed++) {
    const prices = seed % 2 === 0 ? PRICES_2026_06 : PRICES_2025
    const property = fc.asyncProperty(subject.sequences, async (moves) => {
      tally.sequences++
      await subject.play(moves, prices, tally)
    })
    const { path } = options
    const outcome = await fc.check(property, { seed, numRuns: HANDFUL, ...(path && { path }) })
    if (outcome.failed) {
      const reason = String(outcome.errorInstance ?? 'unknown')
      const moves = fc.stringify(outcome.counterexample?.[0])
      return { tally, failure: { reason, moves, seed, path: outcome.counterexamplePath ?? '' } }
    }
    options.progress?.(tally)
    if (path) break
  }
  return { tally }
}
