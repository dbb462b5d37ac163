import { Address } from '@ton/core'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { type ChannelDesk, requirePayer } from './desk.ts'
import { TreasuryError } from './errors.ts'
import type { TreasuryKeys } from './keys.ts'
import type { Settler } from './settler.ts'
import { isPaidBy } from './terms.ts'

export interface ClientChannelsOptions {
  keys: TreasuryKeys
  ledger: Ledger
  desk: ChannelDesk
  settler: Settler
  /** Runs a step while no other one does. */
  alone: <T>(step: () => Promise<T>) => Promise<T>
}

/** What people have done with the channels of clients: settling and closing them. */
export class ClientChannels {
  readonly #options: ClientChannelsOptions

  constructor(options: ClientChannelsOptions) {
    this.#options = options
  }

  /** See `Treasury.settle`. */
  async settle(channel?: string): Promise<void> {
    const { alone, settler } = this.#options
    await alone(async () => settler.settleNow(await this.#named(channel)))
  }

  /** See `Treasury.close`. */
  async close(channel?: string, signal?: AbortSignal): Promise<void> {
    const { keys, ledger, desk, alone } = this.#options
    const { address } = keys.payer
    const all = await this.#named(channel)
    const records = channel === undefined ? all.filter((record) => isPaidBy(record, address)) : all
    for (const record of records) requirePayer(record, address)
    for (const { id } of records) await ledger.setChannelState(id, 'closing')
    for (const { id } of records) await this.#idle(id, signal)
    await alone(async () => {
      for (const { id } of records) await desk.close(await requireRecord(ledger, id))
    })
  }

  /** A close of ours that a crash interrupted is ended, unless requests of the former process are still open. */
  async endClosing(record: ChannelRecord): Promise<void> {
    const { keys, desk } = this.#options
    if (record.role !== 'client' || record.state !== 'closing' || record.reserved > 0n) return
    if (isPaidBy(record, keys.payer.address)) await desk.close(record)
  }

  /** Waits until nothing runs on it. */
  async #idle(channel: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#options.ledger.idle(channel, signal)
    } catch (cause) {
      const { reserved } = await requireRecord(this.#options.ledger, channel)
      throw new TreasuryError(
        'ERR_TREASURY_BUSY',
        `channel ${channel} has requests running that hold ${reserved} nanotons: it takes no new ones; close it again`,
        { cause },
      )
    }
  }

  /** One channel, or all that are not closed. */
  async #named(channel?: string): Promise<ChannelRecord[]> {
    if (channel === undefined) {
      return (await this.#options.ledger.channels()).filter(
        ({ role, state }) => role === 'client' && state !== 'closed',
      )
    }
    const record = await requireRecord(this.#options.ledger, parseChannel(channel))
    if (record.role === 'client') return [record]
    throw new TreasuryError(
      'ERR_TREASURY_NOT_OURS',
      `channel ${record.id} pays a worker: its payee settles it`,
    )
  }
}

/** A channel of the ledger. @throws TreasuryError `ERR_TREASURY_CHANNEL` when it has none of this id */
export async function requireRecord(ledger: Ledger, channel: string): Promise<ChannelRecord> {
  const record = await ledger.channelState(channel)
  if (record) return record
  throw new TreasuryError('ERR_TREASURY_CHANNEL', `channel ${channel} is not one of this gateway`)
}

/** A channel's id from its address in any of TON's notations. */
function parseChannel(text: string): string {
  try {
    return Address.parse(text).toRawString()
  } catch {
    throw new TreasuryError('ERR_TREASURY_CHANNEL', 'channel: not an address of TON')
  }
}
