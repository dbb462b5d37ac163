import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryChain } from '../testing.ts'
import { rawPublicKey } from '../voucher/keys.ts'
import { gatewayEntry, measurementEntry, modelEntry, platformKey, TABLE } from './entries.ts'
import type { Step } from './steps.ts'
import { TEST_DELAY, TestRegistry, testKey, testModel, testOwners } from './testing.ts'

const put = (n: number, price?: bigint): Step => ({ kind: 'put', entry: testModel(n, price) })
const register = (n: number) => n.toString(16).padStart(96, '0')

const measurement = measurementEntry({
  roles: ['worker'],
  mrTd: register(1),
  rtmr: [register(2), register(3), register(4), null],
  mrConfigId: null,
  mrOwner: null,
  mrOwnerConfig: register(5),
})
const gateway = gatewayEntry(testKey(8), { endpoint: 'https://gateway.example/v1' })

let chain: MemoryChain
let test: TestRegistry

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestRegistry.create(chain)
})

async function entryOf(table: keyof typeof TABLE, key: string) {
  const stack = await chain.get(test.registry.address, 'get_entry', [
    { type: 'int', value: BigInt(TABLE[table]) },
    { type: 'int', value: BigInt(`0x${key}`) },
  ])
  return stack.readCellOpt()
}

describe('what widens trust waits', () => {
  const widening: [string, Step, (state: Awaited<ReturnType<TestRegistry['snapshot']>>) => unknown][] = [
    [
      'a measurement',
      { kind: 'put', entry: measurement },
      (state) => state.measurements.get(measurement.key)?.mrTd,
    ],
    ['a model', put(1), (state) => state.models.get(testKey(1))?.prompt],
    ['a gateway', { kind: 'put', entry: gateway }, (state) => state.gateways.get(testKey(8))?.endpoint],
    [
      'older software',
      { kind: 'policy', policyVersion: 2, minSoftware: '0.0.9' },
      (state) => state.policyVersion === 2 || undefined,
    ],
  ]

  it.each(widening)('%s: not a second before the delay', async (_name, step, look) => {
    expect((await test.propose([step])).success).toBe(true)
    const before = await test.snapshot()
    expect(look(before)).toBeUndefined()
    expect(before.version).toBe(1)
    chain.time += TEST_DELAY - 1
    expect((await test.execute(1)).success).toBe(false)
    expect(look(await test.snapshot())).toBeUndefined()
    chain.time += 1
    // Anyone may carry it out, and only once.
    expect((await test.execute(1)).success).toBe(true)
    expect(look(await test.snapshot())).toBeDefined()
    expect((await test.snapshot()).version).toBe(2)
    expect((await test.execute(1)).success).toBe(false)
  })

  it('new prices are as new models', async () => {
    expect((await test.enact([put(1, 5n)])).success).toBe(true)
    expect((await test.propose([put(1, 6n)])).success).toBe(true)
    expect((await test.snapshot()).models.get(testKey(1))?.completion).toBe(5n)
  })

  it('a step that narrows waits when it comes with one that widens', async () => {
    expect((await test.enact([put(1)])).success).toBe(true)
    const both: Step[] = [{ kind: 'remove', table: 'models', key: testKey(1) }, put(2)]
    expect((await test.propose(both)).success).toBe(true)
    expect([...(await test.snapshot()).models.keys()]).toEqual([testKey(1)])
    chain.time += TEST_DELAY
    expect((await test.execute(2)).success).toBe(true)
    expect([...(await test.snapshot()).models.keys()]).toEqual([testKey(2)])
  })

  it('everyone sees what is coming, and any one owner takes it off', async () => {
    await test.propose([put(1), { kind: 'put', entry: gateway }])
    const { pending } = await test.governance()
    expect(pending.get(1)).toMatchObject({ notBefore: chain.time + TEST_DELAY, proposedAt: chain.time })
    expect(pending.get(1)?.steps).toMatchObject([
      { kind: 'put', entry: { table: 'models', key: testKey(1) } },
      { kind: 'put', entry: { table: 'gateways', key: testKey(8) } },
    ])
    expect((await test.cancel(2, 1)).success).toBe(true)
    chain.time += TEST_DELAY
    expect((await test.execute(1)).success).toBe(false)
    expect((await test.snapshot()).models.size).toBe(0)
  })
})

describe('what narrows trust does not wait', () => {
  it('one owner revokes at once, in every table and for platforms, and the get methods agree', async () => {
    await test.enact([{ kind: 'put', entry: measurement }, put(1), { kind: 'put', entry: gateway }])
    expect((await entryOf('measurements', measurement.key))?.equals(measurement.value)).toBe(true)
    const { version } = await test.snapshot()
    const platform = platformKey('ab'.repeat(16))
    for (const [owner, key] of [
      [0, measurement.key],
      [1, testKey(1)],
      [2, testKey(8)],
      [0, platform],
    ] as const) {
      expect((await test.revoke(owner, key)).success).toBe(true)
    }
    const state = await test.snapshot()
    expect(state.version).toBe(version + 4)
    expect([state.measurements.size, state.models.size, state.gateways.size]).toEqual([0, 0, 0])
    expect(state.revoked.get(platform)).toBe(chain.time)
    expect(await entryOf('measurements', measurement.key)).toBeNull()
    const revoked = await chain.get(test.registry.address, 'get_revoked', [
      { type: 'int', value: BigInt(`0x${platform}`) },
    ])
    expect(revoked.readNumber()).toBe(chain.time)
  })

  it('putting a revoked entry again does not bring it back; only threshold and delay do', async () => {
    await test.enact([put(1)])
    await test.revoke(0, testKey(1))
    await test.enact([put(1)])
    expect((await test.snapshot()).models.has(testKey(1))).toBe(false)
    expect((await test.propose([{ kind: 'unrevoke', key: testKey(1) }])).success).toBe(true)
    expect((await test.snapshot()).models.has(testKey(1))).toBe(false)
    chain.time += TEST_DELAY
    await test.execute(3)
    expect((await test.snapshot()).models.has(testKey(1))).toBe(true)
  })

  it('removal, newer software and renewal need the threshold only', async () => {
    await test.enact([put(1)])
    const expiresAt = chain.time + 80 * 86_400
    const steps: Step[] = [
      { kind: 'remove', table: 'models', key: testKey(1) },
      { kind: 'policy', policyVersion: 7, minSoftware: '1.2.3' },
      { kind: 'renew', expiresAt },
    ]
    expect((await test.propose(steps, { by: [0] })).success).toBe(false)
    expect((await test.propose(steps, { by: [1, 2] })).success).toBe(true)
    expect(await test.snapshot()).toMatchObject({ policyVersion: 7, minSoftware: '1.2.3', expiresAt })
    expect((await test.snapshot()).models.size).toBe(0)
  })

  it('a lower minimum that waited does not undo a higher one that came meanwhile', async () => {
    await test.propose([{ kind: 'policy', policyVersion: 2, minSoftware: '0.0.1' }])
    await test.propose([{ kind: 'policy', policyVersion: 3, minSoftware: '2.0.0' }])
    chain.time += TEST_DELAY
    expect((await test.execute(1)).success).toBe(false)
    expect((await test.snapshot()).minSoftware).toBe('2.0.0')
  })

  it('steps are done all or none', async () => {
    const steps: Step[] = [
      { kind: 'policy', policyVersion: 7, minSoftware: '1.2.3' },
      { kind: 'remove', table: 'models', key: testKey(1) },
    ]
    expect((await test.propose(steps)).success).toBe(false)
    expect(await test.snapshot()).toMatchObject({ version: 1, policyVersion: 1 })
  })

  it('once expired, get_entry answers nothing until the owners renew', async () => {
    await test.enact([put(1)])
    expect(await entryOf('models', testKey(1))).not.toBeNull()
    chain.time = test.params.expiresAt
    expect(await entryOf('models', testKey(1))).toBeNull()
    await test.propose([{ kind: 'renew', expiresAt: chain.time + 10 }])
    expect(await entryOf('models', testKey(1))).not.toBeNull()
  })
})

describe('changing the owners', () => {
  const next = testOwners(3)
  const change: Step = {
    kind: 'owners',
    owners: next.map((key) => rawPublicKey(key)),
    threshold: 3,
    delaySeconds: 2 * TEST_DELAY,
  }

  it('waits, and then ends all that the former owners signed, proposed or could still do alone', async () => {
    await test.propose([put(1)])
    await test.propose([change])
    const formerAct = await test.act(0, { kind: 'revoke', key: testKey(5) })
    expect((await test.governance()).threshold).toBe(2)
    chain.time += TEST_DELAY
    expect((await test.execute(2)).success).toBe(true)
    const formerProposal = await test.proposal([put(2)], { by: [0, 1, 2] })
    expect((await test.governance()).pending.size).toBe(0)
    expect((await test.execute(1)).success).toBe(false)
    expect((await test.send(formerAct)).success).toBe(false)
    expect((await test.send(test.registry.propose(formerProposal))).success).toBe(false)
    test.owners = next
    const governance = await test.governance()
    expect(governance).toMatchObject({ threshold: 3, delaySeconds: 2 * TEST_DELAY, epoch: 2, proposals: 3 })
    expect((await test.propose([put(2)], { by: [0, 1] })).success).toBe(false)
    expect((await test.propose([put(2)])).success).toBe(true)
    chain.time += TEST_DELAY
    expect((await test.execute(3)).success).toBe(false)
  })

  it('an owner that stays cannot have an old signature of its own used again', async () => {
    const act = await test.act(0, { kind: 'revoke', key: testKey(5) })
    const same: Step = { kind: 'owners', owners: test.params.owners, threshold: 2, delaySeconds: TEST_DELAY }
    await test.enact([same])
    expect((await test.governance()).owners.get(0)?.acts).toBe(0)
    expect((await test.send(act)).success).toBe(false)
  })
})

describe('signatures elsewhere', () => {
  it('a proposal or act for one registry is nothing to another of the same owners, nor on another network', async () => {
    const twin = await TestRegistry.create(chain, { minSoftware: '0.1.1' }, test.owners)
    const proposal = await test.proposal([put(1)])
    expect((await twin.send(twin.registry.propose(proposal))).success).toBe(false)
    const mainnet = await MemoryChain.create({ globalId: -239 })
    mainnet.time = chain.time
    const abroad = new TestRegistry(mainnet, await mainnet.wallet(), test.owners, test.params)
    await abroad.send(abroad.registry.deploy(1_000_000_000n))
    expect(abroad.registry.address.equals(test.registry.address)).toBe(true)
    expect((await abroad.send(abroad.registry.propose(proposal))).exitCode).toBe(301)
    const act = await test.act(0, { kind: 'revoke', key: testKey(1) })
    expect((await abroad.send(act)).exitCode).toBe(301)
    // Where they belong they are good.
    expect((await test.send(test.registry.propose(proposal))).success).toBe(true)
    expect((await test.send(act)).success).toBe(true)
  })
})

describe('entries', () => {
  it('come back as they went in', async () => {
    const model = modelEntry(testKey(1), {
      id: 'Qwen/Qwen3-0.6B',
      prompt: 1n,
      cached: 0n,
      completion: 3n,
      reasoning: 2n ** 64n - 1n,
    })
    await test.enact([
      { kind: 'put', entry: model },
      { kind: 'put', entry: measurement },
      { kind: 'put', entry: gateway },
    ])
    const state = await test.snapshot()
    expect(state.models.get(testKey(1))).toEqual({
      id: 'Qwen/Qwen3-0.6B',
      prompt: 1n,
      cached: 0n,
      completion: 3n,
      reasoning: 2n ** 64n - 1n,
    })
    expect(state.measurements.get(measurement.key)).toEqual({
      roles: ['worker'],
      mrTd: register(1),
      rtmr: [register(2), register(3), register(4), null],
      mrConfigId: null,
      mrOwner: null,
      mrOwnerConfig: register(5),
    })
    expect(state.gateways.get(testKey(8))).toEqual({ endpoint: 'https://gateway.example/v1' })
  })

  it('are refused by field', () => {
    const prices = { prompt: 1n, cached: 1n, completion: 1n, reasoning: 1n }
    const code = 'ERR_REGISTRY_ENTRY'
    const thrown = (run: () => unknown) => {
      try {
        run()
      } catch (error) {
        return error as { code: string; message: string }
      }
      return undefined
    }
    expect(thrown(() => modelEntry('AB', { id: 'x', ...prices }))).toMatchObject({
      code,
      message: expect.stringMatching(/^key/),
    })
    expect(thrown(() => modelEntry(testKey(1), { id: '', ...prices }))?.message).toMatch(/^id/)
    expect(thrown(() => modelEntry(testKey(1), { id: 'x', ...prices, cached: -1n }))?.message).toMatch(
      /^cached/,
    )
    expect(thrown(() => gatewayEntry(testKey(1), { endpoint: 'http://a.example' }))?.message).toMatch(
      /^endpoint/,
    )
    expect(thrown(() => gatewayEntry(testKey(1), { endpoint: 'https://u:p@a.example' }))?.message).toMatch(
      /^endpoint/,
    )
    expect(thrown(() => platformKey('xyz'))?.message).toMatch(/^platform/)
  })
})
