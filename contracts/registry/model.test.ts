import fc from 'fast-check'
import { expect, it } from 'vitest'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import { MemoryChain } from '../testing.ts'
import type { Step } from './steps.ts'
import { TestRegistry, testKey, testModel } from './testing.ts'

/** The registry as it should be, without TVM: what random sequences of messages are compared with. */
interface Model {
  version: number
  policyVersion: number
  minSoftware: number
  expiresAt: number
  prices: Map<number, number>
  revoked: Map<number, number>
  pending: Map<number, { steps: Plan[]; proposedAt: number }>
  proposals: number
}

type Plan =
  | { kind: 'put'; n: number; price: number }
  | { kind: 'remove'; n: number }
  | { kind: 'unrevoke'; n: number }
  | { kind: 'policy'; policyVersion: number; minSoftware: number }
  | { kind: 'renew'; days: number }
  | { kind: 'drop'; number: number }

type Move =
  | { kind: 'propose'; steps: Plan[]; signers: number }
  | { kind: 'execute'; number: number }
  | { kind: 'revoke'; owner: number; n: number }
  | { kind: 'cancel'; owner: number; number: number }
  | { kind: 'wait'; seconds: number }

const DELAY = 3600
const DAY = 86_400
const n = fc.integer({ min: 0, max: 3 })
const number = fc.integer({ min: 1, max: 6 })
const owner = fc.integer({ min: 0, max: 3 })
const is = <const K extends string>(kind: K) => fc.constant(kind)

const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: is('put'), n, price: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: is('remove'), n }) },
  { weight: 2, arbitrary: fc.record({ kind: is('unrevoke'), n }) },
  { weight: 2, arbitrary: fc.record({ kind: is('policy'), policyVersion: number, minSoftware: n }) },
  { weight: 1, arbitrary: fc.record({ kind: is('renew'), days: fc.integer({ min: 1, max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: is('drop'), number }) },
)

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: is('propose'),
      steps: fc.array(plan, { minLength: 1, maxLength: 3 }),
      signers: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: is('execute'), number }) },
  { weight: 2, arbitrary: fc.record({ kind: is('revoke'), owner, n }) },
  { weight: 1, arbitrary: fc.record({ kind: is('cancel'), owner, number }) },
  { weight: 4, arbitrary: fc.record({ kind: is('wait'), seconds: fc.integer({ min: 1, max: 4000 }) }) },
)

function copy(model: Model): Model {
  return {
    ...model,
    prices: new Map(model.prices),
    revoked: new Map(model.revoked),
    pending: new Map(model.pending),
  }
}

/** Carries out steps on a copy; undefined if one of them cannot be. */
function carriedOut(model: Model, steps: Plan[], proposedAt: number, now: number): Model | undefined {
  const next = copy(model)
  for (const step of steps) {
    if (step.kind === 'put') next.prices.set(step.n, step.price)
    else if (step.kind === 'remove') {
      if (!next.prices.delete(step.n)) return undefined
    } else if (step.kind === 'unrevoke') {
      if ((next.revoked.get(step.n) ?? Number.POSITIVE_INFINITY) >= proposedAt) return undefined
      next.revoked.delete(step.n)
    } else if (step.kind === 'policy') {
      if (step.policyVersion <= next.policyVersion) return undefined
      next.policyVersion = step.policyVersion
      next.minSoftware = step.minSoftware
    } else if (step.kind === 'renew') {
      const expiresAt = proposedAt + step.days * DAY
      if (expiresAt <= next.expiresAt || expiresAt > now + 90 * DAY) return undefined
      next.expiresAt = expiresAt
    } else if (!next.pending.delete(step.number)) return undefined
  }
  return { ...next, version: next.version + 1 }
}

function widens(model: Model, step: Plan): boolean {
  if (step.kind === 'policy') return step.minSoftware < model.minSoftware
  return step.kind === 'put' || step.kind === 'unrevoke'
}

function expected(model: Model, next: Move, now: number): Model {
  if (next.kind === 'propose') {
    if (next.signers < 2) return model
    const numbered = { ...copy(model), proposals: model.proposals + 1 }
    if (!next.steps.some((step) => widens(model, step))) {
      return carriedOut(numbered, next.steps, now, now) ?? model
    }
    if (model.pending.size === 16) return model
    numbered.pending.set(model.proposals, { steps: next.steps, proposedAt: now })
    return numbered
  }
  if (next.kind === 'execute') {
    const pending = model.pending.get(next.number)
    if (!pending || now < pending.proposedAt + DELAY) return model
    const without = copy(model)
    without.pending.delete(next.number)
    return carriedOut(without, pending.steps, pending.proposedAt, now) ?? model
  }
  if (next.kind === 'revoke') {
    if (next.owner === 3 || model.revoked.has(next.n)) return model
    const revoked = new Map(model.revoked).set(next.n, now)
    return { ...model, revoked, version: model.version + 1 }
  }
  if (next.kind === 'cancel') {
    if (next.owner === 3) return model
    const without = copy(model)
    without.pending.delete(next.number)
    return without
  }
  return model
}

function stepOf(step: Plan, now: number): Step {
  if (step.kind === 'put') return { kind: 'put', entry: testModel(step.n, BigInt(step.price)) }
  if (step.kind === 'remove') return { kind: 'remove', table: 'models', key: testKey(step.n) }
  if (step.kind === 'unrevoke') return { kind: 'unrevoke', key: testKey(step.n) }
  if (step.kind === 'policy') return { ...step, minSoftware: `0.0.${step.minSoftware}` }
  if (step.kind === 'renew') return { kind: 'renew', expiresAt: now + step.days * DAY }
  return step
}

async function act(next: Move, test: TestRegistry): Promise<void> {
  if (next.kind === 'wait') test.chain.time += next.seconds
  else if (next.kind === 'propose') {
    const by = Array.from({ length: next.signers }, (_, index) => index)
    await test.propose(
      next.steps.map((step) => stepOf(step, test.chain.time)),
      { by },
    )
  } else if (next.kind === 'execute') await test.execute(next.number)
  else if (next.kind === 'revoke') await test.revoke(next.owner, testKey(next.n))
  else await test.cancel(next.owner, next.number)
}

const hex = <T>(entries: Iterable<[number, T]>) =>
  new Map([...entries].map(([key, value]) => [testKey(key), value]))

async function agrees(test: TestRegistry, model: Model): Promise<void> {
  const snapshot = await test.snapshot()
  const { version, policyVersion, minSoftware, expiresAt } = model
  expect(snapshot).toMatchObject({ version, policyVersion, expiresAt, minSoftware: `0.0.${minSoftware}` })
  expect(snapshot.revoked).toEqual(hex(model.revoked))
  const inForce = [...model.prices].filter(([key]) => !model.revoked.has(key))
  expect(new Map([...snapshot.models].map(([key, value]) => [key, Number(value.prompt)]))).toEqual(
    hex(inForce),
  )
  const governance = await test.governance()
  expect(new Set(governance.pending.keys())).toEqual(new Set(model.pending.keys()))
  expect([governance.proposals, governance.entries]).toEqual([model.proposals, model.prices.size])
}

it('random sequences do what the model says, hide no change from the version, and lose no nanoton', async () => {
  const chain = await MemoryChain.create()
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 16 }), async (moves) => {
      const expiresAt = chain.time + 30 * DAY
      const test = await TestRegistry.create(chain, { delaySeconds: DELAY, minSoftware: '0.0.1', expiresAt })
      const none = { prices: new Map(), revoked: new Map(), pending: new Map() }
      let model: Model = { version: 1, policyVersion: 1, minSoftware: 1, expiresAt, proposals: 1, ...none }
      const hashes = new Map<number, string>()
      for (const next of moves) {
        model = expected(model, next, chain.time)
        await act(next, test)
        await agrees(test, model)
        const { version, hash } = await test.snapshot()
        expect(hashes.get(version) ?? hash).toBe(hash)
        hashes.set(version, hash)
      }
      expect(chain.total()).toBe(GENESIS_SUPPLY)
    }),
    { numRuns: 12, endOnFailure: true },
  )
})
