import type { Book } from './book.ts'
import type { Committer } from './committer.ts'
import { LedgerError } from './errors.ts'
import { checkAmount, checkCount, checkId, checkSignature, checkText } from './input.ts'
import type { ChannelRecord, ChannelState, NewChannel } from './types.ts'

/**
 * The channels' half of the ledger: deposits, settlements, vouchers of clients, and what stops a channel. Every method
 * that changes something resolves after its commit has been fsynced.
 */
export class ChannelBooks {
  readonly #book: Book
  readonly #committer: Committer

  constructor(book: Book, committer: Committer) {
    this.#book = book
    this.#committer = committer
  }

  /** Adds a channel; the same one again gives the known one, with the sums it has by now. */
  async putChannel(channel: NewChannel): Promise<ChannelRecord> {
    checkId('id', channel.id)
    checkId('address', channel.address)
    checkText('params', channel.params, 65_536)
    checkAmount('deposited', channel.deposited)
    checkAmount('settled', channel.settled ?? 0n)
    if (channel.role === 'worker' && channel.signer === 'client') {
      throw new LedgerError(
        'ERR_LEDGER_INPUT',
        'signer: the gateway signs the vouchers of a worker’s channel',
      )
    }
    const record = (await this.#committer.command({ do: 'putChannel', channel })) as ChannelRecord
    if (!this.#book.channels.has(record.id)) this.#book.channels.set(record.id, { ...record })
    return record
  }

  /**
   * Raises what was deposited on chain in all, as read back from there, and signs what a worker is still owed.
   *
   * @throws LedgerError `ERR_LEDGER_INPUT` when it would fall
   */
  async updateDeposit(channel: string, deposited: bigint): Promise<ChannelRecord> {
    checkAmount('deposited', deposited)
    await this.#committer.command({ do: 'deposited', channel, deposited })
    const known = this.#book.channel(channel)
    if (known.deposited < deposited) known.deposited = deposited
    return await this.renewVoucher(channel)
  }

  /** Raises what was paid out on chain in all, as read back from there. */
  async updateSettled(channel: string, settled: bigint): Promise<ChannelRecord> {
    checkAmount('settled', settled)
    const record = (await this.#committer.command({ do: 'settled', channel, settled })) as ChannelRecord
    this.#book.channel(channel).settled = record.settled
    return record
  }

  /** Closes a channel for new reservations at once and for good; running requests are still charged. */
  async setChannelState(channel: string, state: Exclude<ChannelState, 'open'>): Promise<ChannelRecord> {
    const known = this.#book.channel(channel)
    if (known.state !== 'closed') known.state = state
    return (await this.#committer.command({ do: 'state', channel, state })) as ChannelRecord
  }

  /**
   * Takes no reservations on a channel any more, and signs no vouchers for it, until a person lets it go on: chain or
   * counterparty know of more than this ledger does, so that it is not the newest. At once here; durable when resolved.
   *
   * @param reason a sentence for people, without anything secret
   */
  async freeze(channel: string, reason: string): Promise<ChannelRecord> {
    checkText('reason', reason, 500)
    this.#book.channel(channel).frozen = reason
    return (await this.#committer.command({ do: 'freeze', channel, reason })) as ChannelRecord
  }

  /** Lets a frozen channel go on, by the word of a person who looked into it. */
  async unfreeze(channel: string): Promise<ChannelRecord> {
    const record = (await this.#committer.command({ do: 'freeze', channel, reason: null })) as ChannelRecord
    this.#book.channel(channel).frozen = null
    return record
  }

  /**
   * Notes for how long nobody has used a channel. The ledger only keeps it; who counts has to say what is use, and by
   * which clock.
   *
   * @param seconds a whole number, from 0
   */
  async setIdle(channel: string, seconds: number): Promise<ChannelRecord> {
    checkCount('seconds', seconds, Number.MAX_SAFE_INTEGER, 0)
    const record = (await this.#committer.command({ do: 'idle', channel, seconds })) as ChannelRecord
    this.#book.channel(channel).idleSeconds = record.idleSeconds
    return record
  }

  /**
   * Keeps a voucher that a client signed; from then on its channel may be charged up to that ceiling. An equal or lower
   * one changes nothing.
   *
   * @param signature 64 bytes that the caller has verified over this channel and ceiling
   * @returns the channel with its highest voucher, durable
   * @throws LedgerError `ERR_ABOVE_DEPOSIT`, `ERR_LEDGER_INPUT` for a channel that the gateway signs,
   *   `ERR_UNKNOWN_CHANNEL`
   */
  async acceptVoucher(channel: string, ceiling: bigint, signature: Uint8Array): Promise<ChannelRecord> {
    checkAmount('ceiling', ceiling)
    checkSignature('signature', signature)
    const known = this.#book.channel(channel)
    if (known.signer !== 'client') {
      throw new LedgerError(
        'ERR_LEDGER_INPUT',
        `channel ${channel} takes no vouchers: the gateway signs them`,
      )
    }
    if (ceiling > known.deposited) {
      throw new LedgerError(
        'ERR_ABOVE_DEPOSIT',
        `a voucher over ${ceiling} nanotons passes the ${known.deposited} deposited in channel ${channel}`,
      )
    }
    if (ceiling <= known.ceiling) return { ...known }
    // A copy: the caller's may be a piece of a buffer that is used again.
    const kept = new Uint8Array(signature)
    const record = await this.#committer.command({ do: 'accept', channel, ceiling, signature: kept })
    this.#book.raiseCeiling(channel, ceiling, kept)
    return record as ChannelRecord
  }

  /** Signs a voucher for what was charged and is not covered yet, as far as the deposit reaches. */
  async renewVoucher(channel: string): Promise<ChannelRecord> {
    this.#book.channel(channel)
    await this.#committer.renew(channel)
    const record = await this.channelState(channel)
    if (!record) throw new LedgerError('ERR_UNKNOWN_CHANNEL', `channel ${channel} is not in the ledger`)
    return record
  }

  /**
   * Resolves when a channel has no open reservation; meant for one that takes no new ones.
   *
   * @throws the signal's reason when it is aborted before
   */
  async idle(channel: string, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    signal?.throwIfAborted()
    const stop = this.#book.onIdle(channel, resolve)
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      stop()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** A channel as it is decided by now, at once: it may run ahead of the file by the batch that is being written. */
  channelNow(id: string): ChannelRecord | undefined {
    const channel = this.#book.channels.get(id)
    return channel && { ...channel }
  }

  /** A channel with its newest voucher, as the file has it. */
  async channelState(id: string): Promise<ChannelRecord | undefined> {
    return (await this.#committer.query({ ask: 'channel', id })) as ChannelRecord | undefined
  }

  /** When the lowest voucher above `ceiling` nanotons was signed or accepted, in ms; undefined when there is none. */
  async voucherAbove(channel: string, ceiling: bigint): Promise<number | undefined> {
    const found = await this.#committer.query({ ask: 'voucherAbove', channel, ceiling })
    return (found as { signedAt: number } | undefined)?.signedAt
  }

  /**
   * Whether what was charged on a channel ever came to exactly this sum, in nanotons. Whatever this ledger has had
   * settled is such a sum, since a claim is made of what was charged by then.
   */
  async cameTo(channel: string, sum: bigint): Promise<boolean> {
    const { came } = (await this.#committer.query({ ask: 'cameTo', channel, sum })) as { came: boolean }
    return came
  }

  /** All channels, oldest first. */
  async channels(): Promise<ChannelRecord[]> {
    return (await this.#committer.query({ ask: 'channels' })) as ChannelRecord[]
  }
}
