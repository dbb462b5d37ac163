/** The registry as it should be: what it holds after any proposal, execution, revocation or cancellation. */

import assert from 'node:assert/strict'
import { internal } from '@ton/core'
import fc from 'fast-check'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import type { ChainTransaction } from '../chain/local/tvm.ts'
import { registryExitName } from '../registry/exits.ts'
import type { Step } from '../registry/steps.ts'
import { TestRegistry, testKey, testModel } from '../registry/testing.ts'
import { MemoryChain } from '../testing.ts'
import { generateKey } from '../voucher/keys.ts'
import type { Subject, Tally } from './run.ts'

/** What is known of the registry, without TVM. */
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

export type RegistryMove =
  | { kind: 'propose'; steps: Plan[]; signers: number; forged: boolean }
  | { kind: 'execute'; number: number }
  | { kind: 'revoke'; owner: number; n: number; forged: boolean }
  | { kind: 'cancel'; owner: number; number: number; forged: boolean }
  | { kind: 'stray' }
  | { kind: 'wait'; seconds: number }

const DELAY = 3600
const DAY = 86_400
const n = fc.integer({ min: 0, max: 3 })
const number = fc.integer({ min: 1, max: 6 })
const owner = fc.integer({ min: 0, max: 3 })
/** Signed with a key that no owner has. */
const forged = fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0)
const is = <const K extends string>(kind: K) => fc.constant(kind)

const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: is('put'), n, price: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: is('remove'), n }) },
  { weight: 2, arbitrary: fc.record({ kind: is('unrevoke'), n }) },
  { weight: 2, arbitrary: fc.record({ kind: is('policy'), policyVersion: number, minSoftware: n }) },
  { weight: 1, arbitrary: fc.record({ kind: is('renew'), days: fc.integer({ min: 1, max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: is('drop'), number }) },
)

const move: fc.Arbitrary<RegistryMove> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: is('propose'),
      steps: fc.array(plan, { minLength: 1, maxLength: 3 }),
      signers: fc.constantFrom(2, 2, 3, 3, 1),
      forged,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: is('execute'), number }) },
  { weight: 2, arbitrary: fc.record({ kind: is('revoke'), owner, n, forged }) },
  { weight: 1, arbitrary: fc.record({ kind: is('cancel'), owner, number, forged }) },
  { weight: 1, arbitrary: fc.record({ kind: is('stray') }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: is('wait'), seconds: fc.constantFrom(1, DELAY - 1, DELAY, 2 * DELAY) }),
  },
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

function expected(model: Model, next: RegistryMove, now: number): Model {
  if ('forged' in next && next.forged) return model
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

/** Sends a move's message. @returns the registry's transaction, undefined for a mere passing of time */
async function act(next: RegistryMove, test: TestRegistry): Promise<ChainTransaction | undefined> {
  const thief = 'forged' in next && next.forged ? { key: generateKey() } : {}
  switch (next.kind) {
    case 'wait':
      test.chain.time += next.seconds
      return undefined
    case 'stray':
      return test.send(
        internal({ to: test.registry.address, value: 50_000_000n, bounce: true, body: 'stray' }),
      )
    case 'propose': {
      const by = Array.from({ length: next.signers }, (_, index) => index)
      const keys = thief.key ? test.owners.map((key, index) => (index === 0 ? thief.key : key)) : test.owners
      const steps = next.steps.map((step) => stepOf(step, test.chain.time))
      return test.propose(steps, { by, keys })
    }
    case 'execute':
      return test.execute(next.number)
    case 'revoke':
      return test.send(await test.act(next.owner, { kind: 'revoke', key: testKey(next.n) }, thief))
    case 'cancel':
      return test.send(await test.act(next.owner, { kind: 'cancel', number: next.number }, thief))
  }
}

const hex = <T>(entries: Iterable<[number, T]>) =>
  new Map([...entries].map(([key, value]) => [testKey(key), value]))

async function agrees(test: TestRegistry, model: Model): Promise<void> {
  const snapshot = await test.snapshot()
  const { version, policyVersion, expiresAt } = snapshot
  const minSoftware = `0.0.${model.minSoftware}`
  const known = { version: model.version, policyVersion: model.policyVersion, expiresAt: model.expiresAt }
  assert.deepEqual({ version, policyVersion, expiresAt }, known)
  assert.equal(snapshot.minSoftware, minSoftware)
  assert.deepEqual(snapshot.revoked, hex(model.revoked))
  const inForce = [...model.prices].filter(([key]) => !model.revoked.has(key))
  const prices = new Map([...snapshot.models].map(([key, value]) => [key, Number(value.prompt)]))
  assert.deepEqual(prices, hex(inForce))
  const governance = await test.governance()
  assert.deepEqual(new Set(governance.pending.keys()), new Set(model.pending.keys()))
  assert.deepEqual([governance.proposals, governance.entries], [model.proposals, model.prices.size])
}

function outcomeOf({ success, exitCode }: ChainTransaction): string {
  if (success) return 'OK'
  return exitCode === undefined ? 'not run' : (registryExitName(exitCode) ?? `TVM ${exitCode}`)
}

/** Executions and cancellations mostly mean a proposal that waits. */
function aimed(move: RegistryMove, model: Model): RegistryMove {
  if ((move.kind !== 'execute' && move.kind !== 'cancel') || move.number === 6) return move
  const waiting = [...model.pending.keys()]
  return { ...move, number: waiting[move.number % waiting.length] ?? move.number }
}

async function step(chosen: RegistryMove, model: Model, test: TestRegistry, tally: Tally): Promise<Model> {
  const next = aimed(chosen, model)
  const wanted = expected(model, next, test.chain.time)
  const done = await act(next, test)
  if (done) tally.count(next.kind, outcomeOf(done))
  await agrees(test, wanted)
  return wanted
}

/** The registry, message by message; nothing that readers see changes without a new version. */
export const registrySubject: Subject<RegistryMove> = {
  name: 'registry',
  sequences: fc.array(move, { minLength: 10, maxLength: 40 }),
  async play(moves, prices, tally) {
    const chain = await MemoryChain.create({ prices })
    const expiresAt = chain.time + 30 * DAY
    const test = await TestRegistry.create(chain, { delaySeconds: DELAY, minSoftware: '0.0.1', expiresAt })
    const none = { prices: new Map(), revoked: new Map(), pending: new Map() }
    let model: Model = { version: 1, policyVersion: 1, minSoftware: 1, expiresAt, proposals: 1, ...none }
    const hashes = new Map<number, string>()
    for (const next of moves) {
      model = await step(next, model, test, tally)
      const { version, hash } = await test.snapshot()
      assert.equal(hashes.get(version) ?? hash, hash, 'another content of the same version')
      hashes.set(version, hash)
    }
    assert.equal(chain.total(), GENESIS_SUPPLY)
  },
}
