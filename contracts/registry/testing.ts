/** A registry on a {@link MemoryChain}, with owners whose keys the test holds. */

import type { KeyObject } from 'node:crypto'
import { beginCell, contractAddress, Dictionary, type MessageRelaxed } from '@ton/core'
import type { ChainTransaction } from '../chain/local/tvm.ts'
import { LOCAL_GLOBAL_ID } from '../chain/types.ts'
import type { MemoryChain } from '../testing.ts'
import { generateKey, rawPublicKey } from '../voucher/keys.ts'
import type { Wallet } from '../wallet/wallet.ts'
import { type Entry, modelEntry } from './entries.ts'
import { readGovernance } from './reader.ts'
import { Registry, type SignedProposal } from './registry.ts'
import { type OwnerAct, type ProposalTerms, signAct, signProposal } from './signing.ts'
import {
  type RegistryGovernance,
  type RegistryParams,
  type RegistrySnapshot,
  registryInit,
  snapshotOf,
} from './state.ts'
import { type Step, stepsCell } from './steps.ts'

export const TEST_DELAY = 86_400

/** A key of 32 bytes that says which one it is. */
export function testKey(n: number): string {
  return n.toString(16).padStart(64, '0')
}

/** A model's entry whose prices are all `price`. */
export function testModel(n: number, price = 1000n): Entry {
  const prices = { prompt: price, cached: price, completion: price, reasoning: price }
  return modelEntry(testKey(n), { id: `model-${n}`, ...prices })
}

/** A registry that is deployed with counters as only a long life brings them. */
export async function worn(
  test: TestRegistry,
  counters: { acts?: number; entries?: number },
): Promise<TestRegistry> {
  const { code, data } = registryInit(test.params)
  const [snapshot, old] = data.refs
  const governance = old?.beginParse()
  if (!snapshot || !governance) throw new Error('not the data of a registry')
  const head = governance.loadBits(8 + 32 + 32 + 32 + 8)
  const entries = governance.loadUint(16)
  const owners = governance.loadDict(Dictionary.Keys.Uint(8), Dictionary.Values.Buffer(36))
  for (const [index, owner] of owners) {
    const record = Buffer.from(owner)
    record.writeUInt32BE(counters.acts ?? 0, 32)
    owners.set(index, record)
  }
  const tail = beginCell()
    .storeBits(head)
    .storeUint(counters.entries ?? entries, 16)
    .storeDict(owners)
  const init = {
    code,
    data: beginCell().storeRef(snapshot).storeRef(tail.storeBit(false).endCell()).endCell(),
  }
  test.registry = new Registry(contractAddress(0, init), init)
  await test.send(test.registry.deploy(1_000_000_000n))
  return test
}

/** Private keys in the order of the owners' numbers. */
export function testOwners(count: number, make: (index: number) => KeyObject = generateKey): KeyObject[] {
  const keys = Array.from({ length: count }, (_, index) => make(index))
  return keys.sort((a, b) => Buffer.compare(rawPublicKey(a), rawPublicKey(b)))
}

export interface ProposeOptions {
  /** Numbers of the owners who sign; the first `threshold` when absent. */
  by?: number[]
  keys?: KeyObject[]
  /** Changes to what is signed. */
  terms?: Partial<ProposalTerms>
  /** Changes to what is sent. */
  sent?: Partial<SignedProposal>
}

export class TestRegistry {
  readonly chain: MemoryChain
  readonly wallet: Wallet
  readonly params: RegistryParams
  registry: Registry
  /** Private keys of the present owners, by number. */
  owners: KeyObject[]

  constructor(
    chain: MemoryChain,
    wallet: Wallet,
    owners: KeyObject[],
    changes: Partial<RegistryParams> = {},
  ) {
    this.chain = chain
    this.wallet = wallet
    this.owners = owners
    this.params = {
      owners: owners.map((key) => rawPublicKey(key)),
      threshold: 2,
      delaySeconds: TEST_DELAY,
      expiresAt: chain.time + 30 * 86_400,
      policyVersion: 1,
      minSoftware: '0.1.0',
      ...changes,
    }
    this.registry = Registry.fromParams(this.params)
  }

  /** Three owners, two needed, deployed with a TON for rent. */
  static async create(chain: MemoryChain, changes: Partial<RegistryParams> = {}, owners = testOwners(3)) {
    const test = new TestRegistry(chain, await chain.wallet(), owners, changes)
    await test.send(test.registry.deploy(1_000_000_000n))
    return test
  }

  /** Sends a message and returns the registry's transaction. */
  async send(message: MessageRelaxed): Promise<ChainTransaction> {
    await this.wallet.send(this.chain, [message])
    return this.chain.transactionOf(this.registry.address)
  }

  governance(): Promise<RegistryGovernance> {
    return readGovernance(this.chain, this.registry.address)
  }

  async snapshot(): Promise<RegistrySnapshot> {
    const { data } = await this.chain.account(this.registry.address)
    if (!data) throw new Error('the registry is not there')
    return snapshotOf(data)
  }

  /** A proposal as the owners would sign it now. */
  async proposal(steps: readonly Step[], options: ProposeOptions = {}): Promise<SignedProposal> {
    const { proposals, epoch, threshold } = await this.governance()
    const terms: ProposalTerms = {
      globalId: LOCAL_GLOBAL_ID,
      registry: this.registry.address,
      epoch,
      number: proposals,
      validUntil: this.chain.time + 3600,
      steps: options.sent?.steps ?? stepsCell(steps),
      ...options.terms,
    }
    const signatures = new Map<number, Buffer>()
    for (const owner of options.by ?? Array.from({ length: threshold }, (_, index) => index)) {
      const key = (options.keys ?? this.owners)[owner]
      if (key) signatures.set(owner, signProposal(key, terms))
    }
    const { number, validUntil, steps: cell } = terms
    return { number, validUntil, steps: cell, signatures, ...options.sent }
  }

  async propose(steps: readonly Step[], options: ProposeOptions = {}): Promise<ChainTransaction> {
    return this.send(this.registry.propose(await this.proposal(steps, options)))
  }

  execute(number: number): Promise<ChainTransaction> {
    return this.send(this.registry.execute(number))
  }

  /** Proposes, waits, executes. */
  async enact(steps: readonly Step[]): Promise<ChainTransaction> {
    const { proposals, delaySeconds } = await this.governance()
    const proposed = await this.propose(steps)
    if (!proposed.success) return proposed
    this.chain.time += delaySeconds
    return this.execute(proposals)
  }

  /** One owner's message, signed with its key over what the registry says now. */
  async act(
    owner: number,
    act: OwnerAct,
    changes: { key?: KeyObject; acts?: number } = {},
  ): Promise<MessageRelaxed> {
    const { owners, epoch } = await this.governance()
    const key = changes.key ?? this.owners[owner] ?? generateKey()
    const signature = signAct(key, {
      globalId: LOCAL_GLOBAL_ID,
      registry: this.registry.address,
      epoch,
      owner,
      acts: changes.acts ?? owners.get(owner)?.acts ?? 0,
      act,
    })
    if (act.kind === 'revoke') return this.registry.revoke(owner, act.key, signature)
    return this.registry.cancel(owner, act.number, signature)
  }

  async revoke(owner: number, key: string): Promise<ChainTransaction> {
    return this.send(await this.act(owner, { kind: 'revoke', key }))
  }

  async cancel(owner: number, number: number): Promise<ChainTransaction> {
    return this.send(await this.act(owner, { kind: 'cancel', number }))
  }
}
