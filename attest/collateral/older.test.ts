import { beforeEach, describe, expect, it } from 'vitest'
import type { CollateralSpec } from '../simulate/collateral.ts'
import { SimulatedTee } from '../simulate/index.ts'
import { CollateralCache, type CollateralStore, type Origin } from './cache.ts'
import { checkCollateral } from './check.ts'
import { CollateralError } from './errors.ts'
import { type ObtainedCollateral, subjectOf } from './source.ts'

const START = Date.UTC(2026, 10, 22)
const HOUR = 3_600_000
const DAY = 24 * HOUR

let clock = START
const tee = SimulatedTee.ephemeral({ now: () => clock })
const subject = subjectOf(await tee.quote(new Uint8Array(64)))

/** What the origin issues next; undefined while it is down. */
let issued: Partial<CollateralSpec> | undefined
const origin: Origin = {
  async fetch(asked) {
    if (issued === undefined) throw new CollateralError('ERR_COLLATERAL_UNREACHABLE', 'down')
    const collateral = tee.issueCollateral(issued)
    return { collateral, validity: await this.check(collateral, asked) }
  },
  check: (collateral, asked) => checkCollateral(collateral, asked, undefined),
}

const held = new Map<string, ObtainedCollateral>()
const store: CollateralStore = {
  read: async (key) => held.get(key),
  write: async (key, entry) => void held.set(key, entry),
}
const warnings: string[] = []
/** A process of its own, which shares the store with the others. */
const newCache = (): CollateralCache => {
  const cache = { store, warn: (text: string) => warnings.push(text) }
  return new CollateralCache('https://pcs', origin, { now: () => clock, cache })
}

beforeEach(() => {
  clock = START
  held.clear()
  warnings.length = 0
})

describe('older collateral', () => {
  const dated = (json: { issueDate: string }): void => {
    json.issueDate = '2026-11-21T00:00:00Z'
  }
  it.each<[string, Partial<CollateralSpec>, Partial<CollateralSpec>, RegExp]>([
    [
      'the root list',
      {},
      { rootCrl: { thisUpdate: START - 1000 } },
      /root CA CRL of .* is older than that of 2026-11-22/,
    ],
    ['the PCK list', {}, { pckCrl: { thisUpdate: START - 1000 } }, /PCK CRL of .* is older/],
    ['the TCB info', {}, { editTcbInfo: dated }, /TCB info of .* is older/],
    ['the QE identity', {}, { editQeIdentity: dated }, /QE identity of .* is older/],
    [
      'the number of the root list',
      { rootCrl: { number: 300 } },
      { rootCrl: { number: 299 } },
      /root CA CRL has CRL number 299, after 300/,
    ],
    ['the number of the PCK list', { pckCrl: { number: 2 } }, {}, /PCK CRL has CRL number 1, after 2/],
    [
      'the TCB evaluation number',
      { evaluationNumber: 18 },
      { evaluationNumber: 17, qeEvaluationNumber: 18 },
      /TCB info has evaluation number 17, after 18/,
    ],
    [
      'the evaluation number of the QE',
      { evaluationNumber: 18 },
      { evaluationNumber: 18, qeEvaluationNumber: 17 },
      /QE identity has evaluation number 17/,
    ],
  ])('by %s is refused, and what is kept goes on with the reason', async (_, kept, older, why) => {
    const cache = newCache()
    issued = { ...kept, issuedAt: START }
    const first = await cache.obtain(subject)
    clock = START + 12 * HOUR
    issued = { issuedAt: START, ...older }
    const stale = await cache.obtain(subject)
    expect(stale).toEqual({ ...first, staleBecause: expect.stringMatching(why) })
    expect(stale.staleBecause).toContain('https://pcs gave older collateral than before')
    // Another process finds the newer in the store, and holds to it too.
    expect(await newCache().obtain(subject)).toEqual(stale)
    clock = START + 60 * HOUR + 1
    await expect(cache.obtain(subject)).rejects.toThrow(why)
    issued = { ...kept, issuedAt: clock }
    expect(await cache.obtain(subject)).toMatchObject({ fetchedAt: clock })
  })

  it('is told from what was issued again, which is taken', async () => {
    const cache = newCache()
    issued = { issuedAt: START }
    await cache.obtain(subject)
    clock = START + 12 * HOUR
    expect(await cache.obtain(subject)).toMatchObject({ fetchedAt: clock })
    expect(await cache.obtain(subject)).not.toHaveProperty('staleBecause')
  })

  it('in the store is not read over newer in memory, however late it says that it was fetched', async () => {
    const cache = newCache()
    issued = { issuedAt: START }
    const first = await cache.obtain(subject)
    const [key = ''] = held.keys()
    const old = tee.issueCollateral({ issuedAt: START - DAY })
    clock = START + 12 * HOUR
    held.set(key, { ...first, collateral: old, fetchedAt: clock })
    issued = undefined
    expect(await cache.obtain(subject)).toEqual({ ...first, staleBecause: 'down' })
    expect(warnings).toEqual([
      expect.stringMatching(/^kept collateral is not used: root CA CRL of .* is older/),
    ])
    // And newer there is taken, however early.
    const newer = tee.issueCollateral({ issuedAt: START + HOUR })
    held.set(key, { ...first, collateral: newer, fetchedAt: START - 1 })
    clock += 60_000
    expect(await cache.obtain(subject)).toMatchObject({ collateral: newer, staleBecause: 'down' })
  })

  it('by its number is taken when what is kept has run out: a later TCB recovery may have been asked for once', async () => {
    const cache = newCache()
    issued = { evaluationNumber: 21 }
    const early = await cache.obtain(subject)
    issued = { evaluationNumber: 20 }
    clock = START + DAY
    expect(await cache.obtain(subject)).toMatchObject({ staleBecause: expect.stringContaining('after 21') })
    clock = START + 30 * DAY - 2 * HOUR
    await expect(cache.obtain(subject)).rejects.toThrow(/evaluation number 20, after 21/)
    expect(warnings).toEqual([])
    clock = START + 30 * DAY
    const taken = await cache.obtain(subject)
    expect(taken.fetchedAt).toBe(clock)
    expect(taken).not.toHaveProperty('staleBecause')
    expect(warnings).toEqual([
      expect.stringMatching(/gave older collateral than before: TCB info .*; it is taken, because/),
    ])
    // So it is by a process that finds the early one in the folder, and the number now binds again.
    const [key = ''] = held.keys()
    held.set(key, early)
    expect(await newCache().obtain(subject)).toMatchObject({ fetchedAt: clock })
    clock += DAY
    issued = { evaluationNumber: 19 }
    expect(await cache.obtain(subject)).toMatchObject({ staleBecause: expect.stringContaining('after 20') })
  })

  it('by its dates is not taken even then', async () => {
    const cache = newCache()
    issued = { pckCrl: { nextUpdate: START + DAY } }
    await cache.obtain(subject)
    clock = START + 2 * DAY
    issued = { issuedAt: START - DAY }
    await expect(cache.obtain(subject)).rejects.toThrow(/is older than that of/)
  })
})
