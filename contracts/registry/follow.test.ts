import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseRegistryView } from '../../attest/policy/index.ts'
import type { AccountSnapshot, Chain } from '../chain/types.ts'
import { LOCAL_GLOBAL_ID } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { MemoryChain } from '../testing.ts'
import { gatewayEntry, measurementEntry } from './entries.ts'
import { type FollowOptions, RegistryFollower } from './follow.ts'
import { markFile, openRegistry, type RegistrySettings } from './settings.ts'
import { TestRegistry, testKey, testModel } from './testing.ts'
import { registryView } from './view.ts'

let folder: string
let chain: MemoryChain
let test: TestRegistry
/** What the provider shows instead of the chain's account; an error is thrown. */
let shown: AccountSnapshot | Error | undefined
let monotonic: number
let changes: number
let warnings: unknown[]
let timers: (() => void)[]
let onTimer: () => void

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-follow-'))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestRegistry.create(chain, { entries: [testModel(1)] })
  shown = undefined
  monotonic = 0
  changes = 0
  warnings = []
  timers = []
  onTimer = () => {}
})

function provider(): Chain {
  return {
    globalId: chain.globalId,
    now: () => chain.now(),
    account: async (address) => {
      if (shown instanceof Error) throw shown
      return shown ?? chain.account(address)
    },
    send: (boc) => chain.send(boc),
    get: (address, method, args) => chain.get(address, method, args),
    prices: () => chain.prices(),
  }
}

function follower(options: Partial<FollowOptions> = {}): RegistryFollower {
  return new RegistryFollower({
    chain: provider(),
    address: test.registry.address,
    globalId: LOCAL_GLOBAL_ID,
    clock: () => chain.time,
    everySeconds: 30,
    outageSeconds: 900,
    onChange: () => {
      changes += 1
    },
    onWarning: (_, error) => warnings.push(error),
    monotonic: () => monotonic,
    after: (_, fn) => {
      timers.push(fn)
      onTimer()
      return () => {}
    },
    ...options,
  })
}

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return error instanceof ContractsError ? error.code : String(error)
  }
  return 'none'
}

describe('following a registry', () => {
  it('tells of a change once, and of nothing else', async () => {
    const followed = follower()
    await followed.start()
    expect(followed.require().models.size).toBe(1)
    await followed.look()
    expect(changes).toBe(0)
    await test.revoke(0, testKey(1))
    await followed.look()
    await followed.look()
    expect(changes).toBe(1)
    expect(followed.require().models.size).toBe(0)
  })

  it('tells of a change again when it could not be heard, and goes on', async () => {
    let deaf = true
    const followed = follower({
      onChange: () => {
        if (deaf) throw new Error('deaf')
        changes += 1
      },
    })
    await followed.start()
    await test.revoke(0, testKey(1))
    await followed.look()
    expect(warnings).toEqual([new Error('deaf')])
    deaf = false
    await followed.look()
    await followed.look()
    expect(changes).toBe(1)
  })

  it('looks again after each period, until it is closed', async () => {
    const heard = Promise.withResolvers<void>()
    const followed = follower({ onChange: heard.resolve })
    await followed.start()
    await test.revoke(0, testKey(1))
    const again = Promise.withResolvers<void>()
    onTimer = again.resolve
    timers.shift()?.()
    await Promise.all([heard.promise, again.promise])
    expect(timers).toHaveLength(1)
    followed.close()
    timers.shift()?.()
    await followed.look()
    expect(timers).toEqual([])
  })

  it('stands by the last look while none succeeds, for as long as is said, and by the next one again', async () => {
    const followed = follower()
    await followed.start()
    shown = new ContractsError('ERR_CHAIN_UNREACHABLE', 'gone')
    monotonic = 900_000
    await followed.look()
    expect(followed.require().version).toBe(1)
    expect([changes, warnings.length]).toEqual([0, 1])
    monotonic += 1
    expect(codeOf(() => followed.require())).toBe('ERR_REGISTRY_STALE')
    await followed.look()
    expect(changes).toBe(1)
    shown = undefined
    await followed.look()
    expect([changes, followed.require().version]).toEqual([2, 1])
  })

  it('takes an older version for an outage, never for the truth', async () => {
    const followed = follower()
    const old = await chain.account(test.registry.address)
    await test.propose([{ kind: 'policy', policyVersion: 2, minSoftware: '1.0.0' }])
    await followed.start()
    shown = old
    await followed.look()
    expect(followed.require().version).toBe(2)
    monotonic = 900_001
    expect(codeOf(() => followed.require())).toBe('ERR_REGISTRY_STALE')
  })

  it('ends at once with two contents of a version, and with an expiry by whichever clock', async () => {
    const followed = follower({ clock: () => 0 })
    await followed.start()
    const twin = await TestRegistry.create(chain, { minSoftware: '9.9.9' }, test.owners)
    shown = await chain.account(twin.registry.address)
    await followed.look()
    expect(codeOf(() => followed.require())).toBe('ERR_REGISTRY_FORK')
    shown = undefined
    // A registry that expires before its first change takes none any more.
    await test.propose([{ kind: 'policy', policyVersion: 2, minSoftware: '1.0.0' }])
    chain.time = test.params.expiresAt
    await followed.look()
    expect(codeOf(() => followed.require())).toBe('ERR_REGISTRY_EXPIRED')
    await test.propose([{ kind: 'renew', expiresAt: chain.time + 60 }])
    await followed.look()
    expect(followed.require().version).toBe(3)
    const own = follower({ clock: () => chain.time })
    await own.start()
    chain.time += 60
    expect(codeOf(() => own.require())).toBe('ERR_REGISTRY_EXPIRED')
  })

  it('starts in an outage and with an expired snapshot, standing by nothing; not with another contract', async () => {
    shown = new ContractsError('ERR_CHAIN_UNREACHABLE', 'gone')
    const early = follower()
    await early.start()
    expect(codeOf(() => early.require())).toBe('ERR_REGISTRY_STALE')
    shown = { ...(await chain.account(test.registry.address)), state: 'none', code: null, data: null }
    await expect(follower().start()).rejects.toMatchObject({ code: 'ERR_REGISTRY_ABSENT' })
  })
})

describe('opening the registry that settings name', () => {
  const settings: RegistrySettings = { registrySeconds: 30, registryOutageSeconds: 900 }
  const hooks = { onChange: () => {}, onWarning: () => {} }
  const open = (more: Partial<RegistrySettings>) =>
    openRegistry({ ...settings, ...more }, provider(), { folder, ...hooks })

  it('keeps the highest version in its file, and refuses less at the next start', async () => {
    // The wall clock is far from the test chain's.
    const registry = test.registry.address.toString()
    const old = await chain.account(test.registry.address)
    await test.propose([{ kind: 'policy', policyVersion: 2, minSoftware: '1.0.0' }])
    ;(await open({ registry }))?.close()
    expect(
      JSON.parse(
        await readFile(
          markFile(folder, { globalId: LOCAL_GLOBAL_ID, address: test.registry.address }),
          'utf8',
        ),
      ),
    ).toMatchObject({ version: 2 })
    shown = old
    await expect(open({ registry })).rejects.toMatchObject({ code: 'ERR_REGISTRY_ROLLBACK' })
    const registryPin = `3:${'0'.repeat(64)}`
    await expect(open({ registry, registryPin })).rejects.toMatchObject({ code: 'ERR_REGISTRY_ROLLBACK' })
  })

  it('is none without an address, and refuses what does not go together', async () => {
    expect(await open({})).toBeUndefined()
    const registry = test.registry.address.toString()
    await expect(open({ registry, registrySeconds: 900 })).rejects.toThrow(/setting registryOutageSeconds: /)
    await expect(open({ registry: 'here' })).rejects.toThrow(/setting registry: no TON address/)
    await expect(open({ registryPin: `1:${'0'.repeat(64)}` })).rejects.toThrow(/setting registryPin: needs/)
    const named = { ...settings, registry: test.registry.address.toString() }
    await expect(openRegistry(named, undefined, { folder, ...hooks })).rejects.toThrow(/needs a chain/)
  })
})

it('a view is what attest judges by', async () => {
  const register = (n: number) => n.toString(16).padStart(96, '0')
  const set = {
    roles: ['worker'] as const,
    mrTd: register(1),
    rtmr: [register(2), register(3), register(4), null] as const,
    mrConfigId: register(5),
    mrOwner: null,
    mrOwnerConfig: null,
  }
  const entries = [
    measurementEntry(set),
    testModel(1),
    gatewayEntry(testKey(2), { endpoint: 'https://g.example' }),
  ]
  const full = await TestRegistry.create(chain, { entries })
  const { address } = full.registry
  const snapshot = await full.snapshot()
  const view = parseRegistryView(registryView(snapshot, { globalId: LOCAL_GLOBAL_ID, address }))
  expect(view).toEqual({
    globalId: LOCAL_GLOBAL_ID,
    address: address.toRawString(),
    version: 1,
    hash: snapshot.hash,
    expiresAt: full.params.expiresAt,
    minSoftware: '0.1.0',
    measurements: [
      { roles: ['worker'], set: { mrTd: set.mrTd, rtmr: set.rtmr, mrConfigId: set.mrConfigId } },
    ],
    models: [{ id: 'model-1', sha256: testKey(1) }],
    gateways: [testKey(2)],
    revoked: [],
  })
})
