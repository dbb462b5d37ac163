import { Address } from '@ton/core'
import { codeOf } from '../../attest/cli/process.ts'
import {
  ATTACH,
  type Chain,
  ChannelClient,
  type ChannelState,
  checkChannel,
  friendlyAddress,
  isTombstone,
  type LocalChain,
  RENT_RESERVE,
  readChannelState,
  type Wallet,
} from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'
import { ensureFunds } from './funds.ts'
import type { TreasuryKeys } from './keys.ts'
import { requireNotRolledBack } from './rollback.ts'
import type { Settler } from './settler.ts'
import type { Sightings } from './sightings.ts'
import { isPaidBy, paramsOf, type TreasuryTerms } from './terms.ts'

/** The chain; a local one also has a faucet and can prove its sum. */
export type TreasuryChain = Chain & Partial<Pick<LocalChain, 'fund' | 'audit'>>

/** One channel as people see it: what the chain says (deposited, settled) and what the ledger says. Nanotons. */
export interface ChannelStatus {
  role: ChannelRecord['role']
  signer: ChannelRecord['signer']
  /** User-friendly form, EQ…. */
  address: string
  state: ChannelRecord['state']
  /** Why it takes no requests, though it is open; else null. */
  frozen: string | null
  deposited: bigint
  settled: bigint
  charged: bigint
  reserved: bigint
  ceiling: bigint
}

export interface DeskOptions {
  chain: TreasuryChain
  keys: TreasuryKeys
  ledger: Ledger
  terms: TreasuryTerms
  settler: Settler
  sightings: Sightings
}

/**
 * The steps of one channel between chain and ledger. Each looks at the chain before it sends, believes what it reads
 * back, and may be repeated after a crash. To be called one at a time: they decide by balances.
 */
export class ChannelDesk {
  readonly #chain: TreasuryChain
  readonly #keys: TreasuryKeys
  readonly #ledger: Ledger
  readonly #terms: TreasuryTerms
  readonly #settler: Settler
  readonly #sightings: Sightings

  constructor({ chain, keys, ledger, terms, settler, sightings }: DeskOptions) {
    this.#chain = chain
    this.#keys = keys
    this.#ledger = ledger
    this.#terms = terms
    this.#settler = settler
    this.#sightings = sightings
  }

  /** Opens a planned channel on chain. @returns undefined when it can no longer be opened; it is then marked closed */
  async deposit(record: ChannelRecord, wallet: Wallet, deposit: bigint): Promise<ChannelRecord | undefined> {
    const params = paramsOf(record)
    const client = new ChannelClient({ chain: this.#chain, params })
    let state = await client.state()
    const late = (await this.#chain.now()) > params.openUntil && (state?.deposited ?? 0n) === 0n
    if (late || (state && state.closeAt !== 0)) {
      await this.#ledger.setChannelState(record.id, 'closed')
      return undefined
    }
    const missing = deposit - (state?.deposited ?? 0n)
    if (missing > 0n) {
      await this.#fund(wallet, missing + RENT_RESERVE + ATTACH)
      // Anyone may pay into a channel, so a first deposit that is not ours is topped up instead.
      state =
        state && state.deposited > 0n
          ? await client.topUp(wallet, missing)
          : await client.open(wallet, deposit)
    }
    const checked = await checkChannel(params, this.#chain)
    return await this.#credit(record, checked.deposited)
  }

  #fund(wallet: Wallet, amount: bigint): Promise<void> {
    return ensureFunds(this.#chain, wallet, amount, this.#terms.walletFloat)
  }

  /** Adds to a worker's channel when less than half of a deposit is left for what it will earn. */
  async refill(record: ChannelRecord): Promise<ChannelRecord> {
    const { workerDeposit } = this.#terms
    if (record.role !== 'worker' || record.state !== 'open') return record
    if (record.deposited - record.charged >= workerDeposit / 2n) return record
    const target = record.charged + workerDeposit
    const client = new ChannelClient({ chain: this.#chain, params: paramsOf(record) })
    // The chain decides whether an earlier attempt, before a crash, got through.
    const before = await client.state()
    if (before?.closeAt !== 0) return record
    if (before.deposited >= target) return await this.#credit(record, before.deposited)
    const missing = target - before.deposited
    await this.#fund(this.#keys.gateway, missing + ATTACH)
    return await this.#credit(record, (await client.topUp(this.#keys.gateway, missing)).deposited)
  }

  /** Credits what was read back, up to the cap for channels whose vouchers the gateway signs alone. */
  async #credit(record: ChannelRecord, deposited: bigint): Promise<ChannelRecord> {
    const { delegatedCap } = this.#terms
    const delegated = record.role === 'client' && record.signer === 'gateway'
    const capped = delegated && deposited > delegatedCap ? delegatedCap : deposited
    return capped > record.deposited ? await this.#ledger.updateDeposit(record.id, capped) : record
  }

  /** Settles a client channel of ours and closes it, payer and payee together. */
  async close(record: ChannelRecord): Promise<void> {
    if (record.state === 'closed') return
    requirePayer(record, this.#keys.payer.address)
    // On one that is frozen the chain knows of more than this ledger could claim.
    await this.#settler.settleNow([record]).catch((error: unknown) => {
      if (codeOf(error) !== 'ERR_ROLLED_BACK') throw error
    })
    const client = new ChannelClient({ chain: this.#chain, params: paramsOf(record) })
    const state = await client.state()
    if (state && !isTombstone(state)) {
      await this.#fund(this.#keys.payer, ATTACH)
      const amount = state.settled
      const release = this.#keys.signRelease({ channel: client.address, amount })
      await client.coopClose(this.#keys.payer, amount, release)
    }
    await this.#ledger.setChannelState(record.id, 'closed')
  }

  /**
   * Brings the ledger up to what the chain shows of a channel.
   *
   * @returns the state, for settling; undefined when there is nothing to settle
   * @throws TreasuryError `ERR_CHAIN_BEHIND`, `ERR_ROLLED_BACK`
   */
  async sync(record: ChannelRecord): Promise<ChannelState | undefined> {
    const params = paramsOf(record)
    const state = await readChannelState(params, this.#chain)
    // A plan that is not carried out yet is `setup`'s and `paymentFor`'s business.
    if (!state && record.deposited === 0n) return undefined
    if (!state) return await this.#gone(record, params.openUntil)
    // A close by agreement leaves what it paid out as the deposit: less, and yet newer.
    const less = state.deposited < record.deposited && !isTombstone(state)
    if (less || state.settled < record.settled) throw behind(record)
    this.#sightings.saw(record.id)
    await requireNotRolledBack(this.#ledger, record.id, state.settled, { ours: isTombstone(state) })
    if (isTombstone(state)) {
      await this.#ledger.setChannelState(record.id, 'closed')
      return undefined
    }
    const credited = state.closeAt === 0 ? await this.#credit(record, state.deposited) : record
    if (state.closeAt === 0) {
      await this.refill(credited)
      await this.#startClose(credited)
      return state
    }
    if (record.state === 'open') await this.#ledger.setChannelState(record.id, 'closing')
    if (record.role === 'client') return state
    if ((await this.#chain.now()) < state.closeAt) return undefined
    await this.#fund(this.#keys.gateway, ATTACH)
    await new ChannelClient({ chain: this.#chain, params }).finishClose(this.#keys.gateway)
    await this.#ledger.setChannelState(record.id, 'closed')
    return undefined
  }

  /**
   * Starts to close a worker's channel that the ledger has closing: from then on, until the challenge period is over,
   * its worker can take what vouchers promise, and a later look ends it.
   */
  async #startClose(record: ChannelRecord): Promise<void> {
    if (record.role !== 'worker' || record.state !== 'closing') return
    await this.#fund(this.#keys.gateway, ATTACH)
    const client = new ChannelClient({ chain: this.#chain, params: paramsOf(record) })
    await client.startClose(this.#keys.gateway)
  }

  /** No contract is destroyed before its `openUntil`: until then, one that was seen and is not there is a stale view. */
  async #gone(record: ChannelRecord, openUntil: number): Promise<undefined> {
    if ((await this.#chain.now()) <= openUntil) throw behind(record)
    await this.#ledger.setChannelState(record.id, 'closed')
  }

  /** What chain and ledger say of it. */
  async status(record: ChannelRecord): Promise<ChannelStatus> {
    const state =
      record.state === 'closed'
        ? undefined
        : await new ChannelClient({ chain: this.#chain, params: paramsOf(record) }).state()
    return {
      role: record.role,
      signer: record.signer,
      address: friendlyAddress(Address.parseRaw(record.address), this.#chain.globalId),
      state: record.state === 'open' && state && state.closeAt !== 0 ? 'closing' : record.state,
      frozen: record.frozen,
      deposited: state?.deposited ?? record.deposited,
      settled: state?.settled ?? record.settled,
      charged: record.charged,
      reserved: record.reserved,
      ceiling: record.ceiling,
    }
  }
}

function behind({ id }: ChannelRecord): TreasuryError {
  return new TreasuryError(
    'ERR_CHAIN_BEHIND',
    `channel ${id}: the chain shows less than it has shown before, so what it shows is old`,
  )
}

/** @throws TreasuryError `ERR_TREASURY_NOT_OURS` for a channel that somebody else pays into */
export function requirePayer(record: ChannelRecord, payer: Address): void {
  if (isPaidBy(record, payer)) return
  throw new TreasuryError('ERR_TREASURY_NOT_OURS', `channel ${record.id} has to be closed by its payer`)
}
