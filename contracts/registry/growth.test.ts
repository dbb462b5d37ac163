import { describe, expect, it } from 'vitest'
import { PRICES_2025 } from '../chain/prices.ts'
import { MemoryChain } from '../testing.ts'
import { REGISTRY_EXIT } from './exits.ts'
import type { Step } from './steps.ts'
import { TestRegistry, testKey, testModel, testOwners } from './testing.ts'

const TON = 1_000_000_000n
/** What a transaction on the basechain may use. */
const GAS_LIMIT = 1_000_000
/** What any get method may use. */
const GET_GAS = 4000n
const { value } = testModel(0)

/** Keys that are spread evenly, as hashes are. */
const spread = (n: number) =>
  ((BigInt(n + 1) * 0x9e3779b97f4a7c15f39cc0605cedc834n) % (1n << 128n)).toString(16)
const spreadKey = (n: number) => spread(n).padStart(32, '0').repeat(2)

/** Keys that an attacker chooses: each one parts from the last key a bit later, so that the tree is one long path. */
const deepKey = (n: number) => (1n << BigInt(n)).toString(16).padStart(64, '0')

const entry = (key: string) => ({ table: 'models' as const, key, value })
const put = (key: string): Step => ({ kind: 'put', entry: entry(key) })

describe('long lists', () => {
  it('six hundred entries, at the old prices: sixteen puts and a revocation stay far below the gas limit', async () => {
    const chain = await MemoryChain.create({ prices: PRICES_2025 })
    const entries = Array.from({ length: 600 }, (_, n) => entry(spreadKey(n)))
    const test = await TestRegistry.create(chain, { entries })
    expect((await test.governance()).entries).toBe(600)
    const done = await test.enact(Array.from({ length: 16 }, (_, n) => put(spreadKey(5000 + n))))
    expect(done.success).toBe(true)
    expect(Number(done.gasUsed)).toBeLessThan(GAS_LIMIT / 4)
    const revoked = await test.revoke(0, spreadKey(77))
    expect(revoked.success).toBe(true)
    expect(Number(revoked.gasUsed)).toBeLessThan(GAS_LIMIT / 20)
    const snapshot = await test.snapshot()
    expect([snapshot.models.size, snapshot.models.has(spreadKey(77))]).toEqual([615, false])
    const stack = await chain.get(test.registry.address, 'get_entry', [
      { type: 'int', value: 1n },
      { type: 'int', value: BigInt(`0x${spreadKey(78)}`) },
    ])
    expect(stack.readCellOpt()?.equals(value)).toBe(true)
  })

  it('get methods stay cheap: six hundred entries, and less gas than a settle', async () => {
    const chain = await MemoryChain.create()
    const entries = Array.from({ length: 600 }, (_, n) => entry(spreadKey(n)))
    const test = await TestRegistry.create(chain, { entries })
    await test.revoke(0, spreadKey(77))
    const int = (value: bigint) => ({ type: 'int' as const, value })
    const key = (n: number) => int(BigInt(`0x${spreadKey(n)}`))
    const get = (method: string, ...args: { type: 'int'; value: bigint }[]) =>
      chain.get(test.registry.address, method, args, GET_GAS)
    expect((await get('get_entry', int(1n), key(78))).readCellOpt()?.equals(value)).toBe(true)
    expect((await get('get_entry', int(1n), key(77))).readCellOpt()).toBeNull()
    expect((await get('get_revoked', key(77))).readNumber()).toBe(chain.time)
    expect((await get('get_snapshot')).readNumber()).toBe(2)
    expect((await get('get_governance')).readNumber()).toBe(test.params.threshold)
  })

  it('one owner alone cannot make the others unable to revoke', async () => {
    const chain = await MemoryChain.create()
    const test = await TestRegistry.create(chain)
    let last = 0
    for (let n = 0; n < 48; n++) {
      const done = await test.revoke(0, deepKey(255 - n))
      expect(done.success).toBe(true)
      last = Number(done.gasUsed)
    }
    // A key has 256 bits, so the path is never longer than five times this.
    expect(last).toBeLessThan(GAS_LIMIT / 16)
    expect((await test.revoke(1, testKey(99))).success).toBe(true)
  })
})

describe('rent', () => {
  it('every proposal and revocation leaves its share, and nothing else does anything to the balance', async () => {
    const chain = await MemoryChain.create()
    const test = await TestRegistry.create(chain)
    const balance = async () => (await chain.account(test.registry.address)).balance
    const start = await balance()
    await test.propose([put(testKey(1))])
    await test.revoke(0, testKey(2))
    expect(await balance()).toBe(start + 20_000_000n)
    await test.cancel(1, 1)
    await test.execute(1)
    expect(await balance()).toBe(start + 20_000_000n)
    await test.send(test.registry.topUp(TON))
    expect((await balance()) - start).toBeGreaterThan(TON)
  })

  it('five years at the old prices are paid out of a TON, with a hundred entries', async () => {
    const chain = await MemoryChain.create({ prices: PRICES_2025 })
    const entries = Array.from({ length: 100 }, (_, n) => entry(spreadKey(n)))
    const test = await TestRegistry.create(chain, { entries })
    expect((await test.revoke(0, testKey(1))).success).toBe(true)
    chain.time += 5 * 365 * 86_400
    expect((await test.revoke(0, testKey(2))).success).toBe(true)
    expect((await chain.account(test.registry.address)).balance).toBeGreaterThan(TON / 10n)
  })

  it('STILLBORN: deployed as it began when that has expired, as after it vanished for want of rent, it stays dead', async () => {
    const chain = await MemoryChain.create()
    const test = new TestRegistry(chain, await chain.wallet(), testOwners(3), { entries: [testModel(1)] })
    chain.time = test.params.expiresAt
    expect((await test.send(test.registry.deploy(TON))).success).toBe(true)
    const renewed = await test.propose([{ kind: 'renew', expiresAt: chain.time + 60 }])
    expect(renewed.exitCode).toBe(REGISTRY_EXIT.STILLBORN)
    expect((await test.revoke(0, testKey(2))).exitCode).toBe(REGISTRY_EXIT.STILLBORN)
    expect((await test.snapshot()).version).toBe(1)
  })

  it('frozen for want of rent, it cannot be deployed again as it began', async () => {
    const chain = await MemoryChain.create({ prices: PRICES_2025 })
    const entries = Array.from({ length: 20 }, (_, n) => entry(spreadKey(n)))
    const test = await TestRegistry.create(chain, { entries })
    expect((await test.revoke(0, spreadKey(1))).success).toBe(true)
    chain.time += 79 * 365 * 86_400
    await test.send(test.registry.deploy(TON))
    expect((await chain.account(test.registry.address)).state).toBe('frozen')
  })
})
