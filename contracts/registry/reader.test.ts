import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Address, beginCell } from '@ton/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AccountSnapshot, Chain } from '../chain/types.ts'
import { LOCAL_GLOBAL_ID } from '../chain/types.ts'
import { MemoryChain } from '../testing.ts'
import { FileMarks } from './marks.ts'
import { type ReaderOptions, RegistryReader } from './reader.ts'
import type { Step } from './steps.ts'
import { TestRegistry, testKey, testModel } from './testing.ts'

/** A provider that shows what the test wants it to show. */
class Provider implements Chain {
  readonly globalId: number
  shown: AccountSnapshot | undefined
  private readonly chain: MemoryChain

  constructor(chain: MemoryChain) {
    this.chain = chain
    this.globalId = chain.globalId
  }

  now = () => this.chain.now()
  account = async (address: Address) => this.shown ?? this.chain.account(address)
  send = (boc: Uint8Array) => this.chain.send(boc)
  get: Chain['get'] = (address, method, args) => this.chain.get(address, method, args)
  prices = () => this.chain.prices()
}

let chain: MemoryChain
let test: TestRegistry
let provider: Provider
let folder: string

const policy = (policyVersion: number): Step => ({ kind: 'policy', policyVersion, minSoftware: '1.0.0' })

function reader(options: Partial<ReaderOptions> = {}): RegistryReader {
  const address = test.registry.address
  return new RegistryReader({
    chain: provider,
    address,
    globalId: LOCAL_GLOBAL_ID,
    clock: () => chain.time,
    ...options,
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'))
})

afterAll(() => rm(folder, { recursive: true }))

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestRegistry.create(chain, { entries: [testModel(1, 7n)] })
  provider = new Provider(chain)
})

describe('reading the registry', () => {
  it('shows what is in force, and the hash that get_snapshot names', async () => {
    const snapshot = await reader().read()
    expect(snapshot).toMatchObject({ version: 1, policyVersion: 1, minSoftware: '0.1.0' })
    expect(snapshot.models.get(testKey(1))).toEqual({
      id: 'model-1',
      prompt: 7n,
      cached: 7n,
      completion: 7n,
      reasoning: 7n,
    })
    const view = await chain.get(test.registry.address, 'get_snapshot')
    expect([view.readNumber(), view.readNumber(), view.readNumber()]).toEqual([1, test.params.expiresAt, 1])
    view.readNumber()
    expect(view.readBigNumber().toString(16).padStart(64, '0')).toBe(snapshot.hash)
  })

  it('never goes below the highest version seen, across runs too', async () => {
    const file = join(folder, 'rollback')
    const old = await chain.account(test.registry.address)
    await test.propose([policy(2)])
    const first = reader({ marks: new FileMarks(file) })
    const { version, hash } = await first.read()
    expect(version).toBe(2)
    provider.shown = old
    await expect(first.read()).rejects.toMatchObject({ code: 'ERR_REGISTRY_ROLLBACK' })
    await expect(reader({ marks: new FileMarks(file) }).read()).rejects.toMatchObject({
      code: 'ERR_REGISTRY_ROLLBACK',
    })
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ version, hash })
    provider.shown = undefined
    expect((await first.read()).version).toBe(2)
  })

  it('never takes a second content of the same version', async () => {
    const one = reader()
    const { version, hash } = await one.read()
    const twin = await TestRegistry.create(chain, { minSoftware: '9.9.9' }, test.owners)
    provider.shown = await chain.account(twin.registry.address)
    await expect(one.read()).rejects.toMatchObject({ code: 'ERR_REGISTRY_FORK' })
    await expect(reader({ pin: { version, hash } }).read()).rejects.toMatchObject({
      code: 'ERR_REGISTRY_FORK',
    })
  })

  it('holds to a pin from the first read on', async () => {
    const { hash } = await reader().read()
    await expect(reader({ pin: { version: 2, hash } }).read()).rejects.toMatchObject({
      code: 'ERR_REGISTRY_ROLLBACK',
    })
    await test.propose([policy(2)])
    await test.propose([policy(3)])
    expect((await reader({ pin: { version: 2, hash } }).read()).version).toBe(3)
  })

  it('fails closed on expiry, by whichever clock says so, and still remembers what it saw', async () => {
    const file = join(folder, 'expiry')
    const { expiresAt } = test.params
    expect((await reader({ clock: () => expiresAt - 1 }).read()).version).toBe(1)
    await expect(reader({ clock: () => expiresAt }).read()).rejects.toMatchObject({
      code: 'ERR_REGISTRY_EXPIRED',
    })
    await test.propose([policy(2)])
    chain.time = expiresAt
    const slow = reader({ clock: () => 0, marks: new FileMarks(file) })
    await expect(slow.read()).rejects.toMatchObject({ code: 'ERR_REGISTRY_EXPIRED' })
    expect(JSON.parse(await readFile(file, 'utf8')).version).toBe(2)
    await test.propose([{ kind: 'renew', expiresAt: chain.time + 60 }])
    expect((await slow.read()).version).toBe(3)
  })

  it('refuses an empty address, other code, other data, an entry that is none, another network', async () => {
    const account = await chain.account(test.registry.address)
    const shows = async (shown: Partial<AccountSnapshot>, code: string) => {
      provider.shown = { ...account, ...shown }
      await expect(reader().read()).rejects.toMatchObject({ code })
    }
    await shows({ state: 'none', code: null, data: null }, 'ERR_REGISTRY_ABSENT')
    await shows({ state: 'frozen', code: null, data: null }, 'ERR_REGISTRY_ABSENT')
    await shows({ code: beginCell().endCell() }, 'ERR_REGISTRY_CODE')
    await shows({ data: beginCell().endCell() }, 'ERR_REGISTRY_DATA')
    const wrong = { table: 'measurements' as const, key: testKey(1), value: testModel(1).value }
    const bad = await TestRegistry.create(chain, { entries: [wrong] })
    provider.shown = await chain.account(bad.registry.address)
    await expect(reader().read()).rejects.toMatchObject({ code: 'ERR_REGISTRY_ENTRY' })
    // Its owners can still repair it.
    expect((await bad.propose([{ kind: 'remove', table: 'measurements', key: testKey(1) }])).success).toBe(
      true,
    )
    provider.shown = await chain.account(bad.registry.address)
    expect((await reader().read()).version).toBe(2)
    expect(() => reader({ globalId: -239 })).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_NETWORK' }),
    )
  })

  it('a damaged mark is no fresh start', async () => {
    const file = join(folder, 'damaged')
    await writeFile(file, '{"version":1')
    const damaged = reader({ marks: new FileMarks(file) })
    for (let n = 0; n < 2; n++)
      await expect(damaged.read()).rejects.toMatchObject({ code: 'ERR_REGISTRY_MARK' })
  })

  it('believes nothing that its mark could not keep', async () => {
    const lost = new Error('disk full')
    const marks = { load: async () => undefined, save: () => Promise.reject(lost) }
    await expect(reader({ marks }).read()).rejects.toBe(lost)
  })
})
