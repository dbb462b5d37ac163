import {
  ATTACH,
  ContractsError,
  isTombstone,
  LiveFees,
  least,
  MAX_BATCH,
  type SettleClaim,
  type SettleOutcome,
  settleBatch,
  type WaitOptions,
  whySettle,
} from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import type { TreasuryChain } from './desk.ts'
import { ensureFunds } from './funds.ts'
import type { TreasuryKeys } from './keys.ts'
import { requireNotRolledBack } from './rollback.ts'
import { paramsOf, type TreasuryTerms } from './terms.ts'

/** What could not be settled is tried again after so long, twice as long each time… */
const FIRST_RETRY_MS = 5_000
/** …up to this: far below any challenge period. */
const LONGEST_RETRY_MS = 300_000

export interface SettlerOptions {
  chain: TreasuryChain
  keys: TreasuryKeys
  ledger: Ledger
  terms: TreasuryTerms
  /** Wall clock in ms, the ledger's. */
  now: () => number
  /** Milliseconds that only grow. */
  monotonic: () => number
  wait: WaitOptions
}

/** One claim that is to be settled, with the record it was made from. */
interface Due {
  record: ChannelRecord
  claim: SettleClaim
}

/** Takes what clients owe into the gateway's wallet, many channels at once, when it is worth it. */
export class Settler {
  readonly #options: SettlerOptions
  readonly #fees: LiveFees
  /** When a channel was settled last, Unix ms: no charge that is open now is older. */
  readonly #settledAt = new Map<string, number>()
  readonly #retries = new Map<string, { at: number; pause: number }>()

  constructor(options: SettlerOptions) {
    this.#options = options
    this.#fees = new LiveFees(options.chain, options.monotonic)
  }

  /**
   * Settles those of the channels that are worth it by the policy, in one batch.
   *
   * @param closing ids of those whose payers have started to close, as just read from the chain
   * @returns what went wrong; it is tried again at a later call, after a pause
   */
  async settleDue(records: readonly ChannelRecord[], closing: ReadonlySet<string>): Promise<Error[]> {
    // One that is frozen is a person's to decide on, or another gateway's that works on; unless it ends now.
    const claims = this.#claims(records.filter(({ id, frozen }) => frozen === null || closing.has(id)))
    if (claims.length === 0) return []
    const failures: Error[] = []
    const cost = await this.#fees.settleCost().catch((error: Error) => void failures.push(error))
    const due: Due[] = []
    try {
      for (const each of claims) {
        if (await this.#isDue(each, closing.has(each.record.id), cost)) due.push(each)
      }
      failures.push(...(await this.#settle(due)))
    } catch (error) {
      for (const { record } of due) this.#pause(record.id)
      failures.push(error as Error)
    }
    return failures
  }

  /** What may be claimed, and was not in vain a moment ago. */
  #claims(records: readonly ChannelRecord[]): Due[] {
    const now = this.#options.monotonic()
    return records.flatMap((record) => {
      const claim = (this.#retries.get(record.id)?.at ?? 0) <= now ? claimOf(record) : undefined
      return claim ? [{ record, claim }] : []
    })
  }

  /**
   * Settles channels whatever it costs; those without anything to claim are left alone.
   *
   * @throws the first failure, after all was tried
   */
  async settleNow(records: readonly ChannelRecord[]): Promise<void> {
    const due: Due[] = []
    for (const { id } of records) {
      // Signs what a former process charged and could not sign any more.
      const record = await this.#options.ledger.renewVoucher(id)
      const claim = claimOf(record)
      if (claim) due.push({ record, claim })
    }
    const [failure] = await this.#settle(due)
    if (failure) throw failure
  }

  async #isDue({ record, claim }: Due, closing: boolean, cost: bigint | undefined): Promise<boolean> {
    const { settled, deposited, id } = record
    const { now, ledger, terms } = this.#options
    const seen = { settled, claim: claim.amount, deposited, closing, oldestUnsettledAt: undefined }
    // Fees that nobody knows never keep a closing channel from being settled; the others can wait.
    if (cost === undefined) return closing
    const seconds = now() / 1000
    if (whySettle(seen, seconds, cost, terms.settle)) return true
    // The age is asked for last: it takes a look into the ledger.
    if (closing || (claim.amount - settled) * 2n < cost * 3n) return false
    const signedAt = (await ledger.voucherAbove(id, settled)) ?? now()
    const oldest = Math.max(signedAt, this.#settledAt.get(id) ?? 0) / 1000
    return whySettle({ ...seen, oldestUnsettledAt: oldest }, seconds, cost, terms.settle) !== undefined
  }

  async #settle(due: readonly Due[]): Promise<Error[]> {
    if (due.length === 0) return []
    const { chain, keys, terms, wait } = this.#options
    // Without a faucet the wallet's own money has to do: with little of it, batches are smaller.
    const messages = BigInt(Math.min(due.length, MAX_BATCH))
    if (chain.fund) await ensureFunds(chain, keys.gateway, messages * ATTACH, terms.walletFloat)
    const outcomes = await settleBatch(
      chain,
      keys.gateway,
      due.map(({ claim }) => claim),
      wait,
    )
    const failures: Error[] = []
    for (const [index, outcome] of outcomes.entries()) {
      const each = due[index]
      const failure = each && (await this.#note(each, outcome))
      if (failure) failures.push(failure)
    }
    return failures
  }

  /** Books what was read back. A channel that is gone is no failure: the next look at it says so. */
  async #note({ record, claim }: Due, { state, error }: SettleOutcome): Promise<Error | undefined> {
    const { ledger, now } = this.#options
    if (error?.code === 'ERR_CHANNEL_ABSENT') return undefined
    if (error || !state) {
      this.#pause(record.id)
      return new ContractsError(
        error?.code ?? 'ERR_CHANNEL_UNCONFIRMED',
        `channel ${record.id} could not be settled: ${error?.message ?? 'its state is unknown'}`,
        { cause: error },
      )
    }
    this.#retries.delete(record.id)
    // What a cooperative close has paid out is in `settled`, too.
    if (!isTombstone(state)) this.#settledAt.set(record.id, now())
    const ours = state.settled === claim.amount || isTombstone(state)
    return await requireNotRolledBack(ledger, record.id, state.settled, { ours }).then(
      () => undefined,
      (failure: Error) => failure,
    )
  }

  #pause(channel: string): void {
    const known = this.#retries.get(channel)
    const pause = known ? Math.min(LONGEST_RETRY_MS, known.pause * 2) : FIRST_RETRY_MS
    this.#retries.set(channel, { at: this.#options.monotonic() + pause, pause })
  }
}

/** What may be claimed on a client's channel now; undefined when that is nothing. */
function claimOf(record: ChannelRecord): SettleClaim | undefined {
  const { role, state, charged, settled, ceiling, voucher } = record
  if (role !== 'client' || state === 'closed' || !voucher) return undefined
  // A client signs ahead of what it is charged; where the gateway signs, it may lag behind.
  const amount = least(charged, ceiling)
  if (amount <= settled) return undefined
  return { params: paramsOf(record), amount, ceiling, signature: voucher }
}
