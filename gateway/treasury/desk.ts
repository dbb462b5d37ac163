import { Address } from '@ton/core'
import {
  ATTACH,
  type Chain,
  ChannelClient,
  type ChannelState,
  checkChannel,
  isTombstone,
  type LocalChain,
  RENT_RESERVE,
  type Wallet,
} from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'
import type { TreasuryKeys } from './keys.ts'
import { paramsOf, type TreasuryTerms } from './terms.ts'

/** The chain; a local one also has a faucet and can prove its sum. */
export type TreasuryChain = Chain & Partial<Pick<LocalChain, 'fund' | 'audit'>>

/** One channel as people see it: what the chain says (deposited, settled) and what the ledger says. Nanotons. */
export interface ChannelStatus {
  role: ChannelRecord['role']
  /** User-friendly form, EQ…. */
  address: string
  state: ChannelRecord['state']
  deposited: bigint
  settled: bigint
  charged: bigint
  reserved: bigint
  ceiling: bigint
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

  constructor(chain: TreasuryChain, keys: TreasuryKeys, ledger: Ledger, terms: TreasuryTerms) {
    this.#chain = chain
    this.#keys = keys
    this.#ledger = ledger
    this.#terms = terms
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

  /** Sees to it that a wallet can send `amount` nanotons: from the faucet of a local chain, else its owner has to. */
  async #fund(wallet: Wallet, amount: bigint): Promise<void> {
    const { walletFloat } = this.#terms
    const balance = await wallet.balance(this.#chain)
    if (balance >= amount + walletFloat) return
    if (this.#chain.fund) return await this.#chain.fund(wallet.address, amount + walletFloat - balance)
    // What is sent must be there; that it is not all for fees is looked at when the wallet sends.
    if (balance > amount) return
    throw new TreasuryError(
      'ERR_TREASURY_FUNDS',
      `wallet ${wallet.address.toString()} holds ${balance} nanotons, ${amount} and fees are needed: send them there`,
    )
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
    const capped = record.role === 'client' && deposited > delegatedCap ? delegatedCap : deposited
    return capped > record.deposited ? await this.#ledger.updateDeposit(record.id, capped) : record
  }

  async settle(known: ChannelRecord): Promise<void> {
    if (known.state === 'closed') return
    const record = await this.#ledger.renewVoucher(known.id)
    const client = new ChannelClient({ chain: this.#chain, params: paramsOf(record) })
    const before = await client.state()
    if (!before) return
    // What a crash kept from the ledger comes first: a payment that is done is only noted.
    if (record.voucher && record.ceiling > before.settled && !isTombstone(before)) {
      await this.#fund(this.#keys.gateway, ATTACH)
      const after = await client.settle(this.#keys.gateway, record.ceiling, record.ceiling, record.voucher)
      await this.#ledger.updateSettled(record.id, after.settled)
    } else if (before.settled > record.settled) {
      await this.#ledger.updateSettled(record.id, before.settled)
    }
  }

  async close(record: ChannelRecord): Promise<void> {
    if (record.state === 'closed') return
    await this.settle(record)
    const params = paramsOf(record)
    const client = new ChannelClient({ chain: this.#chain, params })
    const state = await client.state()
    if (state && !isTombstone(state)) {
      if (!params.payer.equals(this.#keys.payer.address)) {
        throw new TreasuryError('ERR_TREASURY_NOT_OURS', `channel ${record.id} has to be closed by its payer`)
      }
      await this.#fund(this.#keys.payer, ATTACH)
      const amount = state.settled
      const release = this.#keys.signRelease({ channel: client.address, amount })
      await client.coopClose(this.#keys.payer, amount, release)
    }
    await this.#ledger.setChannelState(record.id, 'closed')
  }

  async sync(record: ChannelRecord): Promise<void> {
    const client = new ChannelClient({ chain: this.#chain, params: paramsOf(record) })
    const state = await client.state()
    // A plan that is not carried out yet is `setup`'s and `paymentFor`'s business.
    if (!state && record.deposited === 0n) return
    if (!state || isTombstone(state)) return await this.#noteClosed(record, state)
    const credited = state.closeAt === 0 ? await this.#credit(record, state.deposited) : record
    if (state.settled > record.settled) await this.#ledger.updateSettled(record.id, state.settled)
    if (state.closeAt === 0) {
      await this.refill(credited)
      return
    }
    if (record.state === 'open') await this.#ledger.setChannelState(record.id, 'closing')
    if (record.role === 'client') return await this.settle(record)
    if ((await this.#chain.now()) < state.closeAt) return
    await this.#fund(this.#keys.gateway, ATTACH)
    await client.finishClose(this.#keys.gateway)
    await this.#ledger.setChannelState(record.id, 'closed')
  }

  async #noteClosed(record: ChannelRecord, state: ChannelState | undefined): Promise<void> {
    if (state && state.settled > record.settled && state.settled <= record.deposited) {
      await this.#ledger.updateSettled(record.id, state.settled)
    }
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
      address: Address.parseRaw(record.address).toString(),
      state: record.state === 'open' && state && state.closeAt !== 0 ? 'closing' : record.state,
      deposited: state?.deposited ?? record.deposited,
      settled: state?.settled ?? record.settled,
      charged: record.charged,
      reserved: record.reserved,
      ceiling: record.ceiling,
    }
  }
}
