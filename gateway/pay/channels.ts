import type { KeyObject } from 'node:crypto'
import type { Address } from '@ton/core'
import { equalBytes } from '../../attest/bytes.ts'
import {
  type Chain,
  type ChannelParams,
  type ChannelState,
  channelAddress,
  channelParamsFromJson,
  channelParamsToJson,
  checkChannel,
  publicKeyObject,
  readChannel,
} from '../../contracts/index.ts'
import type { ApiKey, ApiKeys, ChannelRecord, Ledger } from '../ledger/index.ts'
import { PaymentDue } from './due.ts'
import { ChainLooks, type LooksOptions } from './looks.ts'
import { channelRefused, fromChain, paymentRequired } from './refusals.ts'

/** What the gateway asks of a channel that its client signs. Amounts are nanotons. */
export interface ClientTerms {
  /** The gateway's wallet, which the channel has to pay… */
  payee: Address
  /** …and its release key (32 bytes), which agrees to close it. */
  payeeKey: Uint8Array
  /** Shortest challenge period, seconds. */
  challengeSeconds: number
  minDeposit: bigint
}

export interface ClientChannelsOptions extends LooksOptions {
  chain: Chain
  ledger: Pick<Ledger, 'channelNow' | 'putChannel' | 'updateDeposit'> & { keys: Pick<ApiKeys, 'accountOf'> }
  terms: ClientTerms
}

/** A channel that clients may pay on, with what verifying needs. */
export interface ClientChannel {
  /** Its raw address, as in the ledger. */
  id: string
  address: Address
  params: ChannelParams
  /** The half of the voucher key that verifies. */
  voucherKey: KeyObject
  /** The account that reservations, limits and receipts go by. */
  key: ApiKey
}

/** Known channels whose keys are kept at hand. */
const MOST_KEPT = 4096
/** How long what the chain said of a channel is believed before it is looked at again for the same reason, in ms. */
const BELIEVE_MS = 5_000

interface Sight {
  readonly at: number
  readonly state: Promise<ChannelState | undefined>
}

/** The client-signed channels of the ledger, and how the chain's get there. */
export class ClientChannels {
  readonly #options: ClientChannelsOptions
  readonly #looks: ChainLooks
  readonly #kept = new Map<string, ClientChannel>()
  readonly #sights = new Map<string, Sight>()

  constructor(options: ClientChannelsOptions) {
    this.#options = options
    this.#looks = new ChainLooks(options)
  }

  /** The ledger's numbers of a channel that was found here. */
  record(id: string): ChannelRecord {
    const record = this.#options.ledger.channelNow(id)
    if (!record) throw paymentRequired()
    return record
  }

  /** Whether this very voucher is the one that the ledger holds. */
  holds(id: string, ceiling: bigint, signature: Uint8Array): boolean {
    const record = this.#options.ledger.channelNow(id)
    return record?.ceiling === ceiling && record.voucher !== null && equalBytes(record.voucher, signature)
  }

  /** A channel of the ledger; undefined for one that is not there, or that clients do not sign. */
  async known(id: string): Promise<ClientChannel | undefined> {
    const kept = this.#kept.get(id)
    if (kept) return kept
    const record = this.#options.ledger.channelNow(id)
    if (record?.signer !== 'client') return undefined
    return await this.#keep(channelParamsFromJson(JSON.parse(record.params)))
  }

  /**
   * Takes a channel of the chain into the ledger, once it is what the gateway asks for. Whoever calls has verified a
   * signature by the voucher key of `params`.
   *
   * @param caller address of whoever brought it
   * @throws ApiError 402 for a channel that is not there or not good enough, 429, 503
   */
  async register(params: ChannelParams, caller: string): Promise<ClientChannel> {
    const id = channelAddress(params).toRawString()
    const { deposited } = await this.inspect(params, caller)
    const json = JSON.stringify(channelParamsToJson(params))
    const channel = { id, address: id, role: 'client', signer: 'client', params: json, deposited } as const
    await this.#options.ledger.putChannel(channel)
    return await this.#keep(params)
  }

  /**
   * Looks whether the chain has a channel as the gateway asks for it, and keeps nothing.
   *
   * @param caller address of whoever brought it
   * @throws ApiError 402 for a channel that is not there or not good enough, 429, 503
   */
  async inspect(params: ChannelParams, caller: string): Promise<ChannelState> {
    const { chain, terms } = this.#options
    const { payee, payeeKey, challengeSeconds: minChallengeSeconds, minDeposit } = terms
    // Refused anew for the same reason until the chain is looked at again.
    const state = await this.#look(channelAddress(params).toRawString(), caller, async () => {
      const found = await checkChannel(params, chain, { payee, payeeKey, minChallengeSeconds })
      if (found.deposited < minDeposit)
        throw channelRefused(`it holds ${found.deposited} nanotons, and ${minDeposit} are the least`)
      if (found.settled > 0n)
        throw channelRefused('it was settled before, and the books of that are not here; open a new channel')
      return found
    })
    if (!state) throw paymentRequired()
    return state
  }

  /**
   * Credits what was deposited since, for a voucher that passes what is known.
   *
   * @throws ApiError 429, 503
   */
  async refresh({ id, params }: ClientChannel, caller: string): Promise<void> {
    const state = await this.seen(params, caller)
    if (state && state.deposited > this.record(id).deposited)
      await this.#options.ledger.updateDeposit(id, state.deposited)
  }

  /** When the challenge period of a closing channel ends, Unix seconds; 0 while the chain knows of no close. */
  async closeAt({ id, params }: ClientChannel, caller: string): Promise<number> {
    if (this.record(id).state === 'open') return 0
    const state = await this.seen(params, caller).catch(() => undefined)
    return state?.closeAt ?? 0
  }

  /**
   * What the chain shows of a channel, as of some seconds ago at most; undefined where it has none.
   *
   * @param caller address of whoever asks
   * @throws ApiError 402 for other code at its address or a deposit that lost its rent, 429, 503
   */
  seen(params: ChannelParams, caller: string): Promise<ChannelState | undefined> {
    const id = channelAddress(params).toRawString()
    return this.#look(id, caller, () => readChannel(params, this.#options.chain))
  }

  /** One look for all who ask for the same channel within a few seconds. */
  async #look(
    id: string,
    caller: string,
    look: () => Promise<ChannelState | undefined>,
  ): Promise<ChannelState | undefined> {
    const now = this.#options.monotonic()
    this.#forget(now)
    const seen = this.#sights.get(id)
    if (seen) return await seen.state
    const state = this.#looks.run(caller, look).catch((error: unknown) => {
      const refusal = fromChain(error)
      // What says nothing of the channel holds for this caller and this moment only.
      if (!(refusal instanceof PaymentDue)) this.#sights.delete(id)
      throw refusal
    })
    this.#sights.set(id, { at: now, state })
    return await state
  }

  #forget(now: number): void {
    for (const [id, { at }] of this.#sights) {
      if (now - at < BELIEVE_MS) return
      this.#sights.delete(id)
    }
  }

  async #keep(params: ChannelParams): Promise<ClientChannel> {
    const address = channelAddress(params)
    const id = address.toRawString()
    const key = await this.#options.ledger.keys.accountOf(id)
    const channel = { id, address, params, voucherKey: publicKeyObject(params.voucherKey), key }
    this.#kept.set(id, channel)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return channel
  }
}
