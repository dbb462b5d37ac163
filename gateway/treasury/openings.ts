import type { Address } from '@ton/core'
import type { Wallet } from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import type { ChannelDesk, TreasuryChain } from './desk.ts'
import { TreasuryError } from './errors.ts'
import type { TreasuryKeys } from './keys.ts'
import { checkRoom, isPaidBy, newChannel, paramsOf, planParams, type TreasuryTerms } from './terms.ts'

/** Channels whose vouchers the gateway signs: finds the one that fits, or plans and opens it. */
export class Openings {
  readonly #chain: TreasuryChain
  readonly #keys: TreasuryKeys
  readonly #ledger: Ledger
  readonly #terms: TreasuryTerms
  readonly #desk: ChannelDesk

  constructor(parts: {
    chain: TreasuryChain
    keys: TreasuryKeys
    ledger: Ledger
    terms: TreasuryTerms
    desk: ChannelDesk
  }) {
    this.#chain = parts.chain
    this.#keys = parts.keys
    this.#ledger = parts.ledger
    this.#terms = parts.terms
    this.#desk = parts.desk
  }

  /**
   * The open channel of this kind that `wallet` pays to this payee, opened and funded if there is none.
   *
   * @param anyKey a channel whatever its payee key will do
   */
  async open(
    role: ChannelRecord['role'],
    wallet: Wallet,
    deposit: bigint,
    wanted: { payee: Address; payeeKey: Uint8Array },
    anyKey = false,
  ): Promise<ChannelRecord> {
    const fits = (record: ChannelRecord) => {
      if (record.role !== role || record.state !== 'open' || record.signer !== 'gateway') return false
      const { payer, payee, payeeKey, voucherKey } = paramsOf(record)
      // Users open channels of this kind, too: nobody else's keys draw on their deposits.
      if (!payer.equals(wallet.address) || !this.#keys.holds(role, voucherKey)) return false
      return payee.equals(wanted.payee) && (anyKey || Buffer.from(payeeKey).equals(wanted.payeeKey))
    }
    for (const record of (await this.#ledger.channels()).filter(fits)) {
      const open = record.deposited > 0n ? record : await this.#desk.deposit(record, wallet, deposit)
      if (open) return open
    }
    if (role === 'worker') checkRoom(await this.#ledger.channels(), this.#terms.maxWorkerChannels)
    const parties = { payer: wallet.address, voucherKey: this.#keys.voucherKey(role), ...wanted }
    const params = planParams(parties, this.#terms, await this.#chain.now())
    const planned = await this.#ledger.putChannel(newChannel(role, params))
    this.#keys.admit(planned.id, role)
    const open = await this.#desk.deposit(planned, wallet, deposit)
    if (open) return open
    throw new TreasuryError(
      'ERR_TREASURY_CHANNEL',
      `channel ${planned.id} was closed while it was being opened`,
    )
  }

  /**
   * Client channels whose vouchers nobody can sign any more, since their key was in the memory of a former process:
   * they take no new requests, and the last voucher of each says what it still pays.
   *
   * @returns how many that is newly true of
   */
  async retire(): Promise<number> {
    const orphans = (await this.#ledger.channels()).filter(
      (record) =>
        record.role === 'client' &&
        record.signer === 'gateway' &&
        record.state === 'open' &&
        !this.#keys.holds('client', paramsOf(record).voucherKey),
    )
    for (const { id } of orphans) await this.#ledger.setChannelState(id, 'closing')
    return orphans.length
  }

  /** API keys of our own client channels that end draw on the open one from now on. */
  async moveKeys(to: string): Promise<void> {
    for (const record of await this.#ledger.channels()) {
      const { id, role, signer, state } = record
      if (role !== 'client' || signer !== 'gateway' || state === 'open') continue
      // What another payer deposited is no reason to let its keys draw on our payer's channel.
      if (isPaidBy(record, this.#keys.payer.address)) await this.#ledger.keys.move(id, to)
    }
  }
}
