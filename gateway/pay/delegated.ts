import type { Address } from '@ton/core'
import { equalBytes } from '../../attest/bytes.ts'
import { type ChannelParams, channelAddress, channelParamsToJson, least } from '../../contracts/index.ts'
import { Allowance, networkOf, rateLimited } from '../../worker/protocol/index.ts'
import type { ApiKey, ApiKeys, ChannelRecord, Ledger } from '../ledger/index.ts'
import type { ClientChannels } from './channels.ts'
import { type AgreedEnd, agreeToClose } from './closing.ts'
import { type OwnerSecrets, saltOf } from './commitment.ts'
import { channelClosing, channelRefused, delegatedDisabled } from './refusals.ts'

/** What the gateway offers to those who want an API key of their own deposit. */
export interface DelegatedTerms {
  /** Whether new channels are taken; those that are known go on and end all the same. */
  offered: boolean
  /** The public half (32 bytes) of the key with which this gateway signs their vouchers… */
  voucherKey: Uint8Array
  /** …and where the other half is: one in memory is another after each start. */
  kept: 'file' | 'memory'
  /** Most of a deposit that is ever credited, nanotons. */
  cap: bigint
  /** The gateway's own wallets: what they pay into is the operator's, and nobody else opens it. */
  own: readonly Address[]
  /** From now on vouchers of this channel (raw address) are signed. */
  admit(channel: string): void
}

export interface DelegatedDeskOptions {
  terms: DelegatedTerms
  channels: ClientChannels
  ledger: Pick<Ledger, 'channelNow' | 'putChannel' | 'updateDeposit' | 'setChannelState' | 'idle'> & {
    keys: Pick<ApiKeys, 'create' | 'find'>
  }
  signRelease: Parameters<typeof agreeToClose>[2]
  /** Calls that one address may make in a minute. */
  perMinute: number
  /** Monotonic ms. */
  monotonic: () => number
}

/** What a payer shows of a channel of his: its address follows from it. */
export interface OwnedChannel extends OwnerSecrets {
  params: ChannelParams
}

/**
 * API keys that draw on what their owners deposited themselves, on channels whose vouchers the gateway signs. Nothing is
 * kept before the chain shows a deposit: a payer makes up the parameters, with a salt that binds them to his secrets, pays,
 * and comes with them.
 */
export class DelegatedDesk {
  readonly #options: DelegatedDeskOptions
  readonly #calls: Allowance

  constructor(options: DelegatedDeskOptions) {
    const { perMinute, monotonic: now } = options
    this.#options = options
    this.#calls = new Allowance({ burst: perMinute, perMinute, now })
  }

  /** What everybody may know. @throws ApiError 403 where no new channels are taken */
  terms() {
    this.#demandOffered()
    const { voucherKey, kept, cap } = this.#options.terms
    return {
      object: 'delegated.terms' as const,
      voucher_key: Buffer.from(voucherKey).toString('hex'),
      kept,
      cap: cap.toString(),
    }
  }

  /**
   * Takes a channel with a deposit into the ledger and makes its API key; of one that is known, credits what came since. May
   * be repeated.
   *
   * @param caller address of whoever asks
   * @throws ApiError 402 for a channel that is not there, not good enough or closing, 403 where no new ones are taken, 429, 503
   */
  async open(channel: OwnedChannel, caller: string) {
    this.#demandShare(caller)
    const address = this.#demandOwned(channel)
    const id = address.toRawString()
    const known = this.#options.ledger.channelNow(id)
    if (known && known.state !== 'open') throw channelClosing()
    this.#demandOurs(channel.params)
    await (known ? this.#credit(channel, id, caller) : this.#take(channel, id, caller))
    const key = await this.#keyOf(channel, id)
    return statement(this.#record(id), key, this.#options.terms.cap)
  }

  /**
   * Ends a channel by agreement, see {@link agreeToClose}; also one whose voucher key is gone.
   *
   * @throws ApiError 402 for a channel that is not known here, 429, 503
   */
  async close(channel: OwnedChannel, caller: string, signal: AbortSignal): Promise<AgreedEnd> {
    this.#demandShare(caller)
    const address = this.#demandOwned(channel)
    const id = address.toRawString()
    const { ledger, signRelease } = this.#options
    if (!ledger.channelNow(id))
      throw channelRefused('it is not known here, so there is nothing to agree on; start to close it instead')
    return await agreeToClose({ id, address }, ledger, signRelease, signal)
  }

  #demandOffered(): void {
    if (!this.#options.terms.offered) throw delegatedDisabled()
  }

  #demandShare(caller: string): void {
    const wait = Math.ceil(this.#calls.take(networkOf(caller)) / 1000)
    if (wait > 0)
      throw rateLimited(`Too many calls about channels. Retry in ${wait} s.`, wait, 'channel_lookups')
  }

  /** @returns the channel's address */
  #demandOwned({ params, owner, apiKey }: OwnedChannel): Address {
    if (equalBytes(params.salt, saltOf({ owner, apiKey }))) return channelAddress(params)
    throw channelRefused('params.salt: it was not made of this owner and this API key')
  }

  #demandOurs({ voucherKey, payer }: ChannelParams): void {
    const { terms } = this.#options
    if (!equalBytes(voucherKey, terms.voucherKey))
      throw channelRefused(
        'params.voucherKey: not the key with which this gateway signs now; it makes a new one at each start where it keeps ' +
          'it in memory. Start to close the channel: the whole deposit returns',
      )
    if (terms.own.some((wallet) => wallet.equals(payer)))
      throw channelRefused("params.payer: the gateway's own wallet")
  }

  async #take({ params }: OwnedChannel, id: string, caller: string): Promise<void> {
    this.#demandOffered()
    const { channels, ledger, terms } = this.#options
    const state = await channels.inspect(params, caller)
    const json = JSON.stringify(channelParamsToJson(params))
    const deposited = least(state.deposited, terms.cap)
    await ledger.putChannel({ id, address: id, role: 'client', signer: 'gateway', params: json, deposited })
    terms.admit(id)
  }

  async #credit({ params }: OwnedChannel, id: string, caller: string): Promise<void> {
    const { channels, ledger, terms } = this.#options
    const state = await channels.seen(params, caller)
    const deposited = least(state?.deposited ?? 0n, terms.cap)
    if (deposited > this.#record(id).deposited) await ledger.updateDeposit(id, deposited)
  }

  async #keyOf({ apiKey: secret }: OwnedChannel, id: string): Promise<ApiKey> {
    const { keys } = this.#options.ledger
    const key =
      (await keys.find(secret)) ?? (await keys.create({ name: 'delegated', channel: id, secret })).key
    if (key.channel !== id)
      throw channelRefused('api_key: it draws on another channel; each has a key of its own')
    if (key.revokedAt !== null) throw channelRefused('api_key: it was revoked; ask the operator for another')
    return key
  }

  #record(id: string): ChannelRecord {
    return this.#options.channels.record(id)
  }
}

function statement(record: ChannelRecord, key: ApiKey, cap: bigint) {
  return {
    object: 'delegated.channel' as const,
    id: record.id,
    key: key.id,
    state: record.state,
    deposited: record.deposited.toString(),
    cap: cap.toString(),
    settled: record.settled.toString(),
    charged: record.charged.toString(),
    reserved: record.reserved.toString(),
  }
}
