import { beginCell, internal, type MessageRelaxed } from '@ton/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { MemoryChain } from '../testing.ts'
import { generateKey, rawPublicKey } from '../voucher/keys.ts'
import { REGISTRY_EXIT } from './exits.ts'
import { type Step, stepsCell } from './steps.ts'
import { TEST_DELAY, TestRegistry, testKey, testModel, worn } from './testing.ts'

const TON = 1_000_000_000n
const put = (n: number): Step => ({ kind: 'put', entry: testModel(n) })

/** Refused: this exit, nothing changed, and what was attached came back less fees. */
async function refused(test: TestRegistry, message: MessageRelaxed, exit: number): Promise<void> {
  const { chain, registry, wallet } = test
  const before = await chain.account(registry.address)
  const wealth = await wallet.balance(chain)
  const { exitCode, success } = await test.send(message)
  expect({ exitCode, success }).toEqual({ exitCode: exit, success: false })
  const after = await chain.account(registry.address)
  expect(after.data?.hash()).toEqual(before.data?.hash())
  expect(wealth - (await wallet.balance(chain))).toBeLessThan(TON / 10n)
}

describe.each([
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
])('exits of the registry at $name', ({ prices }) => {
  let chain: MemoryChain
  let test: TestRegistry

  const proposing = async (steps: Step[], options?: Parameters<TestRegistry['proposal']>[1]) =>
    test.registry.propose(await test.proposal(steps, options))

  beforeAll(async () => {
    chain = await MemoryChain.create({ prices })
    test = await TestRegistry.create(chain, { entries: [testModel(1)] })
  })

  it('BAD_SIGNATURE: another network, registry, epoch, number, date, content or key', async () => {
    const other = await TestRegistry.create(chain, { delaySeconds: TEST_DELAY + 1 }, test.owners)
    const { validUntil } = await test.proposal([put(2)])
    const others: Parameters<TestRegistry['proposal']>[1][] = [
      { terms: { globalId: -239 }, sent: {} },
      { terms: { globalId: -3 } },
      { terms: { registry: other.registry.address } },
      { terms: { epoch: 1 } },
      { terms: { number: 2 }, sent: { number: 1 } },
      { sent: { validUntil: validUntil + 1 } },
      { terms: { steps: stepsCell([put(3)]) }, sent: { steps: stepsCell([put(2)]) } },
      { keys: [generateKey(), generateKey()] },
    ]
    for (const options of others) {
      await refused(test, await proposing([put(2)], options), REGISTRY_EXIT.BAD_SIGNATURE)
    }
    const stranger = await test.act(0, { kind: 'revoke', key: testKey(9) }, { key: generateKey() })
    await refused(test, stranger, REGISTRY_EXIT.BAD_SIGNATURE)
  })

  it('TOO_FEW_SIGNATURES: none, or fewer than the threshold', async () => {
    await refused(test, await proposing([put(2)], { by: [] }), REGISTRY_EXIT.TOO_FEW_SIGNATURES)
    await refused(test, await proposing([put(2)], { by: [2] }), REGISTRY_EXIT.TOO_FEW_SIGNATURES)
  })

  it('UNKNOWN_OWNER: a number that is none, and one owner counted twice', async () => {
    const lone = await test.proposal([put(2)], { by: [0] })
    const signature = lone.signatures.get(0) ?? Buffer.alloc(64)
    await refused(
      test,
      test.registry.propose({ ...lone, signatures: new Map([[3, signature]]) }),
      REGISTRY_EXIT.UNKNOWN_OWNER,
    )
    const entry = (rest: ReturnType<typeof beginCell> | null) =>
      beginCell()
        .storeUint(0, 8)
        .storeBuffer(Buffer.from(signature))
        .storeMaybeRef(rest?.endCell() ?? null)
    const twice = beginCell()
      .storeUint(0x43520002, 32)
      .storeUint(lone.number, 32)
      .storeUint(lone.validUntil, 32)
      .storeRef(lone.steps)
      .storeMaybeRef(entry(entry(null)).endCell())
      .endCell()
    const message = internal({ to: test.registry.address, bounce: true, value: TON / 5n, body: twice })
    await refused(test, message, REGISTRY_EXIT.UNKNOWN_OWNER)
    const act = await test.act(7, { kind: 'revoke', key: testKey(9) })
    await refused(test, act, REGISTRY_EXIT.UNKNOWN_OWNER)
  })

  it('WRONG_NUMBER and SIGNATURES_EXPIRED', async () => {
    for (const number of [0, 2, 99]) {
      await refused(test, await proposing([put(2)], { terms: { number } }), REGISTRY_EXIT.WRONG_NUMBER)
    }
    const late = await proposing([put(2)], { terms: { validUntil: chain.time - 1 } })
    await refused(test, late, REGISTRY_EXIT.SIGNATURES_EXPIRED)
  })

  it('NO_PROPOSAL: nothing to execute, cancel or drop', async () => {
    await refused(test, test.registry.execute(5), REGISTRY_EXIT.NO_PROPOSAL)
    await refused(test, await test.act(0, { kind: 'cancel', number: 5 }), REGISTRY_EXIT.NO_PROPOSAL)
    await refused(test, await proposing([{ kind: 'drop', number: 5 }]), REGISTRY_EXIT.NO_PROPOSAL)
  })

  it('BAD_TABLE, TOO_LARGE and UNKNOWN_STEP: what could never be carried out is not taken', async () => {
    const key = Buffer.alloc(32, 1)
    const stepOf = (table: number, value = beginCell().endCell()) =>
      beginCell()
        .storeBit(false)
        .storeUint(1, 8)
        .storeUint(table, 8)
        .storeBuffer(key)
        .storeRef(value)
        .endCell()
    const raw = (steps: ReturnType<typeof stepOf>) => proposing([], { sent: { steps } })
    await refused(test, await raw(stepOf(3)), REGISTRY_EXIT.BAD_TABLE)
    const removal = beginCell().storeBit(false).storeUint(2, 8).storeUint(3, 8).storeBuffer(key).endCell()
    await refused(test, await raw(removal), REGISTRY_EXIT.BAD_TABLE)
    let long = beginCell().storeUint(0, 8).endCell()
    for (let n = 1; n < 9; n++) long = beginCell().storeUint(n, 8).storeRef(long).endCell()
    await refused(test, await raw(stepOf(1, long)), REGISTRY_EXIT.TOO_LARGE)
    const many = Array.from({ length: 17 }, (): Step => ({ kind: 'renew', expiresAt: 1 }))
    await refused(test, await proposing(many), REGISTRY_EXIT.TOO_LARGE)
    const unknown = beginCell().storeBit(false).storeUint(8, 8).endCell()
    await refused(test, await raw(unknown), REGISTRY_EXIT.UNKNOWN_STEP)
  })

  it('NO_ENTRY: nothing to remove, nothing revoked to give back', async () => {
    const absent: Step = { kind: 'remove', table: 'models', key: testKey(77) }
    await refused(test, await proposing([absent]), REGISTRY_EXIT.NO_ENTRY)
    const elsewhere: Step = { kind: 'remove', table: 'gateways', key: testKey(1) }
    await refused(test, await proposing([elsewhere]), REGISTRY_EXIT.NO_ENTRY)
    const own = await TestRegistry.create(await MemoryChain.create({ prices }))
    const back = await own.enact([{ kind: 'unrevoke', key: testKey(77) }])
    expect(back.exitCode).toBe(REGISTRY_EXIT.NO_ENTRY)
  })

  it.each([-1n, 3n])('BAD_TABLE: get_entry is asked of table %d', async (table) => {
    const asked = [table, 1n].map((value) => ({ type: 'int' as const, value }))
    const answer = chain.get(test.registry.address, 'get_entry', asked)
    await expect(answer).rejects.toThrow(`exited with ${REGISTRY_EXIT.BAD_TABLE}`)
  })

  it('POLICY_BACK: the policy version only rises', async () => {
    for (const policyVersion of [0, 1]) {
      const step: Step = { kind: 'policy', policyVersion, minSoftware: '0.1.0' }
      await refused(test, await proposing([step]), REGISTRY_EXIT.POLICY_BACK)
    }
  })

  it('BAD_OWNERS: equal keys, more than ten, a threshold or time lock out of bounds', async () => {
    const keys = Array.from({ length: 11 }, () => rawPublicKey(generateKey())).sort(Buffer.compare)
    const [first = Buffer.alloc(32), second = Buffer.alloc(32)] = keys
    const list = (of: Buffer[]) => {
      let cell = null
      for (const key of of.toReversed()) cell = beginCell().storeBuffer(key).storeMaybeRef(cell).endCell()
      return cell ?? beginCell().endCell()
    }
    const raw = (owners: Buffer[], threshold: number, delay: number) =>
      proposing([], {
        sent: {
          steps: beginCell()
            .storeBit(false)
            .storeUint(5, 8)
            .storeUint(threshold, 8)
            .storeUint(delay, 32)
            .storeRef(list(owners))
            .endCell(),
        },
      })
    for (const bad of [
      await raw([first, first], 1, TEST_DELAY),
      await raw([second, first], 1, TEST_DELAY),
      await raw(keys, 1, TEST_DELAY),
      await raw([first, second], 0, TEST_DELAY),
      await raw([first, second], 3, TEST_DELAY),
      await raw([first, second], 1, 3599),
      await raw([first, second], 1, 2_592_001),
    ]) {
      await refused(test, bad, REGISTRY_EXIT.BAD_OWNERS)
    }
  })

  it('NOT_ALONE: a change of owners carries nothing else that could hide behind it', async () => {
    const owners = test.params.owners
    const change: Step = { kind: 'owners', owners, threshold: 1, delaySeconds: TEST_DELAY }
    await refused(test, await proposing([change, put(2)]), REGISTRY_EXIT.NOT_ALONE)
    await refused(test, await proposing([put(2), change]), REGISTRY_EXIT.NOT_ALONE)
  })

  it('BAD_EXPIRY: not sooner than it is, and not further than 90 days', async () => {
    for (const expiresAt of [test.params.expiresAt, chain.time + 1, chain.time + 7_776_001]) {
      await refused(test, await proposing([{ kind: 'renew', expiresAt }]), REGISTRY_EXIT.BAD_EXPIRY)
    }
  })

  it('LOW_VALUE: too little attached names itself, and nothing moves', async () => {
    const { body } = await proposing([put(2)])
    const low = internal({ to: test.registry.address, bounce: true, value: 10_000_000n, body })
    await refused(test, low, REGISTRY_EXIT.LOW_VALUE)
    const nothing = internal({ to: test.registry.address, bounce: true, value: 100_000n, body })
    await refused(test, nothing, -14)
    const { pending } = await test.governance()
    expect(pending.size).toBe(0)
  })

  it('UNKNOWN_OP: no unknown, empty or text message; no external one', async () => {
    const plain = internal({ to: test.registry.address, value: TON / 50n, bounce: true })
    await refused(test, plain, REGISTRY_EXIT.UNKNOWN_OP)
    const text = internal({ to: test.registry.address, value: TON / 50n, bounce: true, body: 'hello' })
    await refused(test, text, REGISTRY_EXIT.UNKNOWN_OP)
    const { external, storeMessage } = await import('@ton/core')
    const { body } = await proposing([put(2)])
    const boc = beginCell()
      .store(storeMessage(external({ to: test.registry.address, body })))
      .endCell()
      .toBoc()
    await expect(chain.send(boc)).rejects.toMatchObject({ code: 'ERR_CHAIN_REJECTED' })
  })

  it('ALREADY_REVOKED, and an act of one owner is good once', async () => {
    const act = await test.act(1, { kind: 'revoke', key: testKey(40) })
    expect((await test.send(act)).success).toBe(true)
    await refused(test, act, REGISTRY_EXIT.ALREADY_REVOKED)
    chain.time += 1
    // Given back, the same message does not revoke it again.
    expect((await test.enact([{ kind: 'unrevoke', key: testKey(40) }])).success).toBe(true)
    await refused(test, act, REGISTRY_EXIT.BAD_SIGNATURE)
  })

  it('TOO_EARLY, LAPSED: a proposal has its time', async () => {
    const { proposals } = await test.governance()
    expect((await test.propose([put(2)])).success).toBe(true)
    await refused(
      test,
      await proposing([put(2)], { terms: { number: proposals } }),
      REGISTRY_EXIT.WRONG_NUMBER,
    )
    chain.time += TEST_DELAY - 1
    await refused(test, test.registry.execute(proposals), REGISTRY_EXIT.TOO_EARLY)
    chain.time += 1 + 2_592_001
    await refused(test, test.registry.execute(proposals), REGISTRY_EXIT.LAPSED)
    expect((await test.propose([{ kind: 'drop', number: proposals }])).success).toBe(true)
    expect((await test.governance()).pending.size).toBe(0)
  })

  it('REVOKED_SINCE: what was proposed before a revocation does not undo it', async () => {
    // A proposal in stock, for the day on which the key is revoked.
    const { proposals } = await test.governance()
    expect((await test.propose([{ kind: 'unrevoke', key: testKey(41) }])).success).toBe(true)
    chain.time += TEST_DELAY
    expect((await test.revoke(2, testKey(41))).success).toBe(true)
    await refused(test, test.registry.execute(proposals), REGISTRY_EXIT.REVOKED_SINCE)
    expect((await test.cancel(2, proposals)).success).toBe(true)
  })

  it('PROTECTED: one owner cannot keep the others from changing the owners', async () => {
    const { proposals } = await test.governance()
    const owners = test.params.owners
    const change: Step = { kind: 'owners', owners, threshold: 3, delaySeconds: TEST_DELAY }
    expect((await test.propose([change])).success).toBe(true)
    await refused(test, await test.act(2, { kind: 'cancel', number: proposals }), REGISTRY_EXIT.PROTECTED)
    expect((await test.propose([{ kind: 'drop', number: proposals }])).success).toBe(true)
  })

  it('TOO_MANY_PENDING: sixteen proposals wait, no more', async () => {
    for (let n = 0; n < 16; n++) expect((await test.propose([put(50 + n)])).success).toBe(true)
    await refused(test, await proposing([put(66)]), REGISTRY_EXIT.TOO_MANY_PENDING)
    // What narrows needs no place.
    expect((await test.propose([{ kind: 'remove', table: 'models', key: testKey(1) }])).success).toBe(true)
  })

  it('OUT_OF_ACTS: one owner alone acts 1,024 times at most, and then the others still can', async () => {
    const registry = await worn(new TestRegistry(chain, test.wallet, test.owners), { acts: 1023 })
    expect((await registry.revoke(0, testKey(1))).success).toBe(true)
    await refused(
      registry,
      await registry.act(0, { kind: 'revoke', key: testKey(2) }),
      REGISTRY_EXIT.OUT_OF_ACTS,
    )
    expect((await registry.revoke(1, testKey(2))).success).toBe(true)
  })

  it('FULL: 2,048 entries, not one more; an entry that is there is still replaced', async () => {
    const changes = { entries: [testModel(1)] }
    const full = await worn(new TestRegistry(chain, test.wallet, test.owners, changes), { entries: 2047 })
    expect((await full.enact([put(1)])).success).toBe(true)
    expect((await full.enact([put(2)])).success).toBe(true)
    expect((await full.enact([put(3)])).exitCode).toBe(REGISTRY_EXIT.FULL)
    expect((await full.enact([put(2)])).success).toBe(true)
    expect((await full.governance()).entries).toBe(2048)
  })

  it('conserves every nanoton', () => {
    expect(chain.total()).toBe(1_000_000_000n * TON)
  })
})
