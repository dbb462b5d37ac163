/** @module Trial after trial, with a record of them. */

import { randomFrom } from '../../worker/model/corpus/random.ts'
import { COUNTED, type Counts, noCounts } from './check.ts'
import type { PointName } from './points.ts'
import { type Plan, planOf, Stand } from './trial.ts'

export interface RunOptions {
  readonly trials: number
  readonly seed: number
  /** Trials on one data folder before a new one is made. */
  readonly fresh: number
  /** Networks side by side; 1 when absent. */
  readonly side?: number
  /** Kills come at this point of the code only. */
  readonly point?: PointName
  readonly progress?: (progress: Progress) => void
  /** Ends the run early: trials under way are gone through with, and the record is of those that were done. */
  readonly signal?: AbortSignal
}

export interface Progress {
  readonly done: number
  readonly defects: number
  /** The trial that was just done, if something was wrong. */
  readonly failure?: Failure
}

/** A trial in which something was wrong. */
export interface Failure {
  /** From 0. */
  readonly trial: number
  readonly plan: Plan
  readonly defects: readonly string[]
  /** The end of what the processes logged. */
  readonly log: string
}

/** What a run did and found. */
export interface RunRecord {
  readonly seed: number
  readonly trials: number
  readonly seconds: number
  /** Trials of each kind. */
  readonly kinds: { [kind: string]: number }
  readonly counts: Counts
  readonly failures: readonly Failure[]
}

/** Runs the trials. What a trial does follows from seed and number; at which moment the kill comes does not. */
export async function runTrials(options: RunOptions): Promise<RunRecord> {
  const { trials, seed, fresh, side = 1, point, progress = () => {}, signal } = options
  const began = performance.now()
  const counts = noCounts()
  const kinds: RunRecord['kinds'] = {}
  const failures: Failure[] = []
  let next = 0
  let done = 0
  /** Takes the next trials that no other stand has taken, on a network of its own. */
  const standAfterStand = async (): Promise<void> => {
    while (next < trials && !signal?.aborted) {
      const first = next
      next = Math.min(trials, first + fresh)
      await using stand = await Stand.open()
      for (let trial = first; trial < Math.min(trials, first + fresh) && !signal?.aborted; trial++) {
        const random = randomFrom(seed * 1_000_003 + trial)
        const plan = planOf(random, point)
        const verdict = await stand.trial(plan, random)
        for (const kind of kindsOf(plan)) kinds[kind] = (kinds[kind] ?? 0) + 1
        for (const key of COUNTED) counts[key] += verdict.counts[key]
        const { defects } = verdict
        const failure = defects.length > 0 && { trial, plan, defects, log: stand.network.log }
        if (failure) failures.push(failure)
        progress({ done: ++done, defects: failures.length, ...(failure && { failure }) })
      }
    }
  }
  await Promise.all(Array.from({ length: side }, standAfterStand))
  const seconds = Math.round((performance.now() - began) / 1000)
  return { seed, trials: done, seconds, kinds, counts, failures }
}

function kindsOf({ victims, at, settling, againMs }: Plan): string[] {
  return [
    victims.join(' and '),
    ...(at ? [`at a point: ${at.when} ${at.point}`] : []),
    ...(settling ? ['while settling'] : []),
    ...(againMs === undefined ? [] : ['the gateway again in its recovery']),
  ]
}
