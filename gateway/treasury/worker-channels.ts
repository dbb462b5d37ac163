import { toHex } from '../../attest/bytes.ts'
import { codeOf } from '../../attest/cli/process.ts'
import { checkVoucherKey } from '../../contracts/index.ts'
import type { PaymentTerms } from '../../worker/protocol/link.ts'
import type { Ledger } from '../ledger/index.ts'
import type { ChannelDesk } from './desk.ts'
import { TreasuryError } from './errors.ts'
import { IdleChannels } from './idle.ts'
import type { TreasuryKeys } from './keys.ts'
import type { Openings } from './openings.ts'
import { judgeShownVoucher } from './rollback.ts'
import { parsePayout, paymentTerms, type TreasuryTerms } from './terms.ts'

/** A worker as it joins, as far as paying it goes. */
export interface Payee {
  payoutAddress: string
  workerId: string
  /**
   * Hex of the Ed25519 key with which the worker would agree to an early close; without one nobody can, and the channel
   * ends by the challenge period only.
   */
  payoutKey?: string
}

/** How the link pays a worker: the ledger's name of the channel, and what the worker is told of it. */
export interface Payment {
  ledgerChannel: string
  terms: PaymentTerms
}

export interface WorkerChannelsOptions {
  keys: TreasuryKeys
  ledger: Ledger
  terms: TreasuryTerms
  desk: ChannelDesk
  openings: Openings
  /** Runs a step while no other one does. */
  alone: <T>(step: () => Promise<T>) => Promise<T>
  /** Milliseconds that only grow. */
  monotonic: () => number
}

/** The channels that pay workers, from a worker's first join until it is gone for good. */
export class WorkerChannels {
  readonly #options: WorkerChannelsOptions
  #idle: IdleChannels | undefined

  constructor(options: WorkerChannelsOptions) {
    this.#options = options
  }

  /** See `Treasury.paymentFor`. */
  async paymentFor(worker: Payee): Promise<Payment> {
    const { keys, terms, desk, openings, alone } = this.#options
    const payee = parsePayout(worker.payoutAddress)
    const payeeKey = Buffer.from(worker.payoutKey ?? worker.workerId, 'hex')
    // Before anything is planned: no channel could be opened with such a key.
    checkVoucherKey(payeeKey)
    const anyKey = worker.payoutKey === undefined
    return await alone(async () => {
      const record = await openings
        .open('worker', keys.gateway, terms.workerDeposit, { payee, payeeKey }, anyKey)
        .catch(async (error: unknown) => {
          if (codeOf(error) !== 'ERR_TREASURY_LIMIT') throw error
          const newcomer = `${payee.toRawString()} ${toHex(payeeKey)}`
          throw (await this.#idle?.makeRoom(newcomer)) ? noRoomYet(terms) : error
        })
      await this.#idle?.touch(record)
      if (record.frozen !== null) {
        throw new TreasuryError('ERR_ROLLED_BACK', `channel ${record.id} is frozen: ${record.frozen}`)
      }
      return { ledgerChannel: record.id, terms: paymentTerms(await desk.refill(record), keys.globalId) }
    })
  }

  /** See `Treasury.checkVoucher`. */
  async checkVoucher(
    channel: string,
    shown: { ceiling: bigint; signature: Uint8Array },
  ): Promise<string | undefined> {
    const { ledger, keys } = this.#options
    return await judgeShownVoucher(ledger, keys.globalId, channel, shown)
  }

  /** See `Treasury.endIdle`. */
  endIdle(inUse: () => ReadonlySet<string>): void {
    this.#idle = new IdleChannels({ ...this.#options, inUse })
  }

  /** Counts for how long channels have not been used; not while a worker is being told of its channel. */
  countIdle(): Promise<void> {
    return this.#options.alone(async () => this.#idle?.count())
  }
}

/** What a worker is told for whom another one's channel ends. */
function noRoomYet({ challengeSeconds }: TreasuryTerms): TreasuryError {
  const minutes = Math.ceil(challengeSeconds / 60) + 5
  return new TreasuryError(
    'ERR_TREASURY_LIMIT',
    `this gateway opens no more worker channels at once; one that nobody uses ends for this worker: try again in ${minutes} minutes`,
  )
}
