/** The owners' verbs on the TVM: what they refuse before sending, and that they believe only what they read back. */

import { beginCell } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Chain } from '../chain/types.ts'
import { MemoryChain } from '../testing.ts'
import { generateKey, rawPublicKey } from '../voucher/keys.ts'
import { RegistryClient } from './client.ts'
import type { RegistryState } from './reader.ts'
import { type Asked, mergeRequests, newRequest, type SigningRequest, signRequest } from './request.ts'
import type { Step } from './steps.ts'
import { TEST_DELAY, TestRegistry, testKey, testModel } from './testing.ts'

let chain: MemoryChain
let test: TestRegistry
let client: RegistryClient

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestRegistry.create(chain, { entries: [testModel(1)] })
  client = new RegistryClient({ chain, registry: test.registry })
})

const DAY = 86_400
const put = (n: number): Step => ({ kind: 'put', entry: testModel(n) })
const remove = (n: number): Step => ({ kind: 'remove', table: 'models', key: testKey(n) })
const policy = (policyVersion: number, minSoftware = '9.0.0'): Step => ({
  kind: 'policy',
  policyVersion,
  minSoftware,
})
const renew = (days: number): Step => ({ kind: 'renew', expiresAt: chain.time + days * DAY })

/** A request signed by owners, by their numbers. */
function signed(state: RegistryState, asked: Asked, by: readonly number[]): SigningRequest {
  const where = { globalId: chain.globalId, registry: test.registry.address }
  const keys = by.map((number) => test.owners[number] ?? generateKey())
  return keys.reduce(signRequest, newRequest(where, state, asked))
}

async function proposal(
  steps: readonly Step[],
  by = [0, 1],
  changes: Partial<Asked> = {},
): Promise<SigningRequest> {
  const state = await client.state()
  const asked = {
    kind: 'proposal',
    number: state.governance.proposals,
    validUntil: chain.time + 60,
    steps,
  } as const
  return signed(state, { ...asked, ...changes } as Asked, by)
}

async function act(asked: Record<string, unknown>, owner = 0, by = [owner]): Promise<SigningRequest> {
  const state = await client.state()
  const acts = state.governance.owners.get(owner)?.acts ?? 0
  return signed(state, { owner, acts, ...asked } as Asked, by)
}

const submit = (request: SigningRequest) => client.submit(test.wallet, request)
const propose = async (...steps: Step[]) => await submit(await proposal(steps))

/** Refused with this code, and nothing was sent. */
async function refused(code: string, work: () => Promise<unknown>): Promise<void> {
  const before = await test.wallet.seqno(chain)
  await expect(work()).rejects.toMatchObject({ code: `ERR_REGISTRY_${code}` })
  expect(await test.wallet.seqno(chain)).toBe(before)
}

describe('verbs', () => {
  it('deploy once, and only what has not expired', async () => {
    const fresh = new TestRegistry(chain, test.wallet, test.owners, { policyVersion: 7 })
    const deploying = new RegistryClient({ chain, registry: fresh.registry })
    const { snapshot } = await deploying.deploy(test.wallet, fresh.params, 1_000_000_000n)
    expect(snapshot).toMatchObject({ version: 1, policyVersion: 7 })
    const seqno = await test.wallet.seqno(chain)
    await deploying.deploy(test.wallet, fresh.params, 1_000_000_000n)
    expect(await test.wallet.seqno(chain)).toBe(seqno)
    for (const days of [0, 91]) {
      const late = new TestRegistry(chain, test.wallet, test.owners, { expiresAt: chain.time + days * DAY })
      const doing = new RegistryClient({ chain, registry: late.registry })
      await refused('PARAMS', () => doing.deploy(test.wallet, late.params, 1n))
    }
  })

  it('submit, wait, execute; each returns what was read back', async () => {
    const waiting = await propose(put(2))
    expect(waiting.governance.pending.get(1)).toMatchObject({ notBefore: chain.time + TEST_DELAY })
    expect(waiting.snapshot.version).toBe(1)
    await refused('TOO_EARLY', () => client.execute(test.wallet, 1))
    chain.time += TEST_DELAY
    const done = await client.execute(test.wallet, 1)
    expect(done.snapshot.tables.models.has(testKey(2))).toBe(true)
    await refused('NO_PROPOSAL', () => client.execute(test.wallet, 1))
    const narrowed = await propose(remove(2), renew(60), policy(2))
    expect(narrowed.snapshot).toMatchObject({
      policyVersion: 2,
      minSoftware: '9.0.0',
      expiresAt: chain.time + 60 * DAY,
    })
    expect(narrowed.snapshot.tables.models.has(testKey(2))).toBe(false)
    const { balance } = await client.state()
    expect((await client.topUp(test.wallet, 5_000_000_000n)).balance).toBeGreaterThan(
      balance + 4_900_000_000n,
    )
  })

  it('put back what was removed in the same proposal: the last word counts', async () => {
    await propose(remove(1), put(1))
    chain.time += TEST_DELAY
    const { snapshot } = await client.execute(test.wallet, 1)
    expect(snapshot.tables.models.has(testKey(1))).toBe(true)
  })

  it('one owner revokes and cancels at once', async () => {
    await propose(put(2))
    expect((await submit(await act({ kind: 'cancel', number: 1 }, 2))).governance.pending.size).toBe(0)
    const revoked = await submit(await act({ kind: 'revoke', key: testKey(1) }, 2))
    expect(revoked.snapshot.revoked.has(testKey(1))).toBe(true)
    chain.time += 1
    await propose({ kind: 'unrevoke', key: testKey(1) })
    chain.time += TEST_DELAY
    expect((await client.execute(test.wallet, 2)).snapshot.revoked.size).toBe(0)
  })

  it('new owners end what the former ones signed', async () => {
    const owners = [generateKey(), generateKey()].map((key) => rawPublicKey(key))
    const old = await proposal([put(3)], [0, 1], { number: 2 })
    await propose({ kind: 'owners', owners, threshold: 2, delaySeconds: 3600 })
    await refused('PROTECTED', async () => await submit(await act({ kind: 'cancel', number: 1 })))
    chain.time += TEST_DELAY
    expect((await client.execute(test.wallet, 1)).governance).toMatchObject({ threshold: 2, epoch: 1 })
    await refused('EPOCH', () => submit(old))
  })

  it('repair a table in which an entry says nothing to readers', async () => {
    const broken: Step = {
      kind: 'put',
      entry: { ...testModel(5), value: beginCell().storeUint(1, 8).endCell() },
    }
    await propose(broken)
    chain.time += TEST_DELAY
    await client.execute(test.wallet, 1)
    await expect(test.snapshot()).rejects.toMatchObject({ code: 'ERR_REGISTRY_ENTRY' })
    await propose(remove(5))
    expect((await test.snapshot()).models.size).toBe(1)
  })

  it('copies that were signed apart are one request; copies that ask different things are none', async () => {
    const [one, other] = [await proposal([put(2)], [0]), await proposal([put(2)], [2])]
    expect((await submit(mergeRequests([one, other]))).governance.pending.size).toBe(1)
    expect(() => mergeRequests([one, { ...other, asked: { ...other.asked, number: 9 } as Asked }])).toThrow(
      'ask different things',
    )
  })
})

describe('refused before anything is sent, by the name of the exit:', () => {
  const cases: Record<string, () => Promise<unknown>> = {
    NETWORK: async () => {
      const request = await proposal([put(2)])
      await submit({ ...request, domain: { ...request.domain, globalId: -3 } })
    },
    TOO_FEW_SIGNATURES: async () => await submit(await proposal([put(2)], [1])),
    UNKNOWN_OWNER: async () => await submit(await proposal([put(2)], [0, 9])),
    WRONG_NUMBER: async () => await submit(await proposal([put(2)], [0, 1], { number: 2 })),
    SIGNATURES_EXPIRED: async () => {
      const request = await proposal([put(2)])
      chain.time += 61
      await submit(request)
    },
    NOT_ALONE: async () => {
      const owners: Step = { kind: 'owners', owners: test.params.owners, threshold: 1, delaySeconds: 3600 }
      await propose(owners, put(2))
    },
    NO_ENTRY: async () => await propose(remove(7)),
    POLICY_BACK: async () => await propose(policy(1)),
    BAD_EXPIRY: async () => await propose(renew(91)),
    NO_PROPOSAL: async () => await propose({ kind: 'drop', number: 4 }),
    BAD_SIGNATURE: async () => await submit(await act({ kind: 'revoke', key: testKey(1), acts: 3 })),
  }
  for (const [code, work] of Object.entries(cases)) it(code, () => refused(code, work))

  it('UNKNOWN_OWNER of an act, another owner than the one that it names', async () => {
    await refused(
      'UNKNOWN_OWNER',
      async () => await submit(await act({ kind: 'revoke', key: testKey(1) }, 7)),
    )
    await refused(
      'TOO_FEW_SIGNATURES',
      async () => await submit(await act({ kind: 'revoke', key: testKey(1) }, 0, [1])),
    )
  })

  it('ALREADY_REVOKED, REVOKED_SINCE, BAD_EXPIRY for an earlier end, NO_PROPOSAL', async () => {
    await submit(await act({ kind: 'revoke', key: testKey(1) }))
    await refused('ALREADY_REVOKED', async () => await submit(await act({ kind: 'revoke', key: testKey(1) })))
    await propose({ kind: 'unrevoke', key: testKey(1) })
    await refused('BAD_EXPIRY', () => propose(renew(29)))
    await refused('NO_PROPOSAL', async () => await submit(await act({ kind: 'cancel', number: 5 })))
    chain.time += TEST_DELAY
    // Proposed in the same second as the revocation.
    await refused('REVOKED_SINCE', () => client.execute(test.wallet, 1))
  })

  it('LAPSED, TOO_MANY_PENDING, STILLBORN', async () => {
    for (let count = 0; count < 16; count++) await propose(put(count + 10))
    await refused('TOO_MANY_PENDING', () => propose(put(2)))
    chain.time += TEST_DELAY + 30 * DAY + 1
    await refused('LAPSED', () => client.execute(test.wallet, 1))
    await refused('STILLBORN', () => propose(renew(30)))
  })

  it('nothing lives there', async () => {
    const nobody = new TestRegistry(chain, test.wallet, test.owners, { policyVersion: 9 })
    const absent = new RegistryClient({ chain, registry: nobody.registry })
    await refused('ABSENT', () => absent.execute(test.wallet, 1))
  })
})

it('believes the chain and not the sending: a lost effect is reported', async () => {
  const before = await chain.account(test.registry.address)
  const lagging: Chain = {
    globalId: chain.globalId,
    now: () => chain.now(),
    send: (boc) => chain.send(boc),
    get: (address, method, args) => chain.get(address, method, args),
    prices: () => chain.prices(),
    account: async (address) =>
      address.equals(test.registry.address) ? before : await chain.account(address),
  }
  const blind = new RegistryClient({ chain: lagging, registry: test.registry, pause: async () => {} })
  const request = await proposal([put(2)])
  await expect(blind.submit(test.wallet, request)).rejects.toMatchObject({ code: 'ERR_REGISTRY_UNCONFIRMED' })
})

it('another proposal that took the number is not taken for ours', async () => {
  const [ours, theirs] = [await proposal([put(2)]), await proposal([put(3)])]
  const wallet = {
    address: test.wallet.address,
    // Somebody else's message comes first, and ours bounces.
    send: async (...args: Parameters<typeof test.wallet.send>) => {
      await submit(theirs)
      await test.wallet.send(...args)
    },
  }
  await expect(client.submit(wallet, ours)).rejects.toMatchObject({ code: 'ERR_REGISTRY_UNCONFIRMED' })
})
