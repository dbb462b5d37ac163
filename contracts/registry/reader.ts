import type { Address, Cell } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { REGISTRY_CODE_HASH } from './code.ts'
import {
  governanceOf,
  type RawSnapshot,
  type RegistryGovernance,
  type RegistrySnapshot,
  rawSnapshotOf,
  snapshotOf,
} from './state.ts'

/** The highest snapshot seen so far. */
export interface SnapshotMark {
  version: number
  /** 64 hexadecimal digits. */
  hash: string
}

/** Where a reader keeps its mark between runs; `FileMarks` is one on disk. */
export interface MarkStore {
  load(): Promise<SnapshotMark | undefined>
  /** Durable when it resolves. */
  save(mark: SnapshotMark): Promise<void>
}

export interface ReaderOptions {
  chain: Chain
  /** Pinned: from the user's configuration, never from a gateway or worker. */
  address: Address
  /** Pinned, with the address. */
  globalId: number
  /** A snapshot that is known from elsewhere: nothing below it is believed. */
  pin?: SnapshotMark
  marks?: MarkStore
  /** Unix seconds; the reader's own clock. */
  clock?: () => number
}

async function accountOf(chain: Chain, address: Address): Promise<{ data: Cell; balance: bigint }> {
  const account = await chain.account(address)
  if (account.state !== 'active' || !account.code || !account.data) {
    throw new ContractsError(
      'ERR_REGISTRY_ABSENT',
      `registry: nothing lives at its address (${account.state})`,
    )
  }
  if (account.code.hash().toString('hex') !== REGISTRY_CODE_HASH) {
    throw new ContractsError('ERR_REGISTRY_CODE', 'registry: the contract at its address has other code')
  }
  return { data: account.data, balance: account.balance }
}

/** Who decides, and what is coming. @throws ContractsError ERR_REGISTRY_ABSENT, ERR_REGISTRY_CODE, ERR_REGISTRY_DATA */
export async function readGovernance(chain: Chain, address: Address): Promise<RegistryGovernance> {
  return governanceOf((await accountOf(chain, address)).data)
}

/** A registry as its owners see it; not for those who are to trust it. */
export interface RegistryState {
  snapshot: RawSnapshot
  governance: RegistryGovernance
  /** Nanotons that are left for rent. */
  balance: bigint
}

/**
 * All of a registry at one moment, also when it has expired: for owners, who have to mend what readers refuse.
 * @throws ContractsError ERR_REGISTRY_ABSENT, ERR_REGISTRY_CODE, ERR_REGISTRY_DATA
 */
export async function readRegistry(chain: Chain, address: Address): Promise<RegistryState> {
  const { data, balance } = await accountOf(chain, address)
  return { snapshot: rawSnapshotOf(data), governance: governanceOf(data), balance }
}

function requireNotBelow(seen: SnapshotMark, next: SnapshotMark): void {
  if (next.version < seen.version) {
    throw new ContractsError(
      'ERR_REGISTRY_ROLLBACK',
      `registry: shows version ${next.version}, but ${seen.version} was seen; ask another provider`,
    )
  }
  if (next.version === seen.version && next.hash !== seen.hash) {
    throw new ContractsError(
      'ERR_REGISTRY_FORK',
      `registry: two different snapshots of version ${next.version}`,
    )
  }
}

/**
 * Reads the registry as TUF has it: never below the highest version seen, never two contents of one version, never
 * past the expiry. It believes its `Chain` in what the account holds: give it one that compares providers.
 */
export class RegistryReader {
  private readonly options: ReaderOptions
  private mark: SnapshotMark | undefined
  private loaded = false
  private tail: Promise<unknown> = Promise.resolve()

  constructor(options: ReaderOptions) {
    if (options.chain.globalId !== options.globalId) {
      throw new ContractsError(
        'ERR_REGISTRY_NETWORK',
        'globalId: the chain is another network than the pinned one',
      )
    }
    this.options = options
  }

  /**
   * The present snapshot. Reads run one after another; the new mark is durable before anything is returned.
   * @throws ContractsError ERR_REGISTRY_ROLLBACK, ERR_REGISTRY_FORK, ERR_REGISTRY_EXPIRED, ERR_REGISTRY_ABSENT,
   * ERR_REGISTRY_CODE, ERR_REGISTRY_DATA, ERR_REGISTRY_ENTRY, and what the chain throws
   */
  read(): Promise<RegistrySnapshot> {
    const next = this.tail.then(() => this.readOnce())
    this.tail = next.catch(() => undefined)
    return next
  }

  private async readOnce(): Promise<RegistrySnapshot> {
    const { chain, address, pin, marks } = this.options
    if (!this.loaded) {
      this.mark = await marks?.load()
      this.loaded = true
    }
    const snapshot = snapshotOf((await accountOf(chain, address)).data)
    const next = { version: snapshot.version, hash: snapshot.hash }
    if (pin) requireNotBelow(pin, next)
    if (this.mark) requireNotBelow(this.mark, next)
    if (next.version !== this.mark?.version) {
      await marks?.save(next)
      this.mark = next
    }
    await this.requireFresh(snapshot.expiresAt)
    return snapshot
  }

  /** The later of both clocks counts: neither a slow clock here nor one there makes an old snapshot young. */
  private async requireFresh(expiresAt: number): Promise<void> {
    const own = this.options.clock?.() ?? Math.floor(Date.now() / 1000)
    if (Math.max(own, await this.options.chain.now()) < expiresAt) return
    throw new ContractsError(
      'ERR_REGISTRY_EXPIRED',
      'registry: the snapshot has expired; its owners have to renew it',
    )
  }
}
