/**
 * What a worker keeps about its pay, in SQLite: receipts until they are acknowledged, for each channel what was earned
 * and the highest voucher, and sums by day. No row holds anything of a prompt or an answer.
 */

import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { SignedReceipt } from '../../attest/receipt/index.ts'
import { History } from './history.ts'
import { migrate } from './schema.ts'

/** A receipt that waits for its acknowledgement. */
export interface StoredReceipt {
  requestId: string
  /** The gateway that the request came from. */
  gateway: string
  channel: string
  /** Absent while nothing can be claimed. */
  receipt: SignedReceipt | undefined
  final: boolean
  workerCharge: bigint
  /** Earned so far by this request, as counted against the credit. */
  counted: bigint
  interrupted: boolean
  model: string
}

/** How a channel stands on chain; `gone` is closed for good. */
export type ChannelPhase = 'open' | 'closing' | 'gone'

/** A channel's account. Nanotons. */
export interface ChannelAccount {
  /** Raw; or the name of the account of receipts for which nobody pays. */
  address: string
  /** Charges of all receipts ever, as counted against the credit. */
  earned: bigint
  /** The highest valid voucher. */
  ceiling: bigint
  /** Base64; empty before the first voucher. */
  signature: string
  /** What was given up of requests that lost links cut short. */
  forgiven: bigint
  /** The gateway that pays by it. */
  gateway: string
  /** `ChannelParamsJson`, from which the address follows; empty in a row of an older program. */
  params: string
  /** As last seen on chain, as are `settled` and `state`. */
  deposited: bigint
  settled: bigint
  state: ChannelPhase
  /** Wall time in ms since which the voucher exceeds what is settled; 0 while it does not. */
  unsettledSince: number
}

/**
 * Opens or makes the file. Written ahead without a sync for each commit: what a power cut can take are receipts of the
 * last moments, which the gateway has been sent too; a killed process loses nothing that it sent.
 *
 * What one turn of the event loop changes is one commit, made at its end or by `flush`: whoever tells others of a change
 * calls that before.
 */
export class EarningsStore {
  readonly #db: DatabaseSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #savepoint: StatementSync
  readonly #release: StatementSync
  #open = false
  readonly #putReceipt: StatementSync
  readonly #getReceipt: StatementSync
  readonly #dropReceipt: StatementSync
  readonly #listReceipts: StatementSync
  readonly #interrupt: StatementSync
  readonly #getChannel: StatementSync
  readonly #putChannel: StatementSync
  readonly #listChannels: StatementSync
  /** The sums by day; to be changed inside a `transaction`. */
  readonly history: History

  /**
   * @param file a path, or `:memory:`
   * @param tokenBatch see History
   * @throws EarningsError ERR_EARNINGS_VERSION when a newer program wrote the file
   */
  constructor(file: string, tokenBatch = 1) {
    this.#db = new DatabaseSync(file)
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;')
    try {
      migrate(this.#db, file)
    } catch (error) {
      this.#db.close()
      throw error
    }
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE')
    this.#commit = this.#db.prepare('COMMIT')
    this.#savepoint = this.#db.prepare('SAVEPOINT step')
    this.#release = this.#db.prepare('RELEASE step')
    this.#putReceipt = this.#db.prepare(
      'INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
    this.#getReceipt = this.#db.prepare('SELECT * FROM receipts WHERE request_id = ?')
    this.#dropReceipt = this.#db.prepare('DELETE FROM receipts WHERE request_id = ?')
    this.#listReceipts = this.#db.prepare('SELECT * FROM receipts WHERE gateway = ? ORDER BY request_id')
    this.#interrupt = this.#db.prepare('UPDATE receipts SET interrupted = 1 WHERE gateway = ?')
    this.#getChannel = this.#db.prepare('SELECT * FROM channels WHERE address = ?')
    this.#putChannel = this.#db.prepare(
      'INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
    this.#listChannels = this.#db.prepare('SELECT * FROM channels ORDER BY address')
    this.history = new History(this.#db, tokenBatch)
  }

  /** Runs `work`, all of it or nothing, as a part of this turn's commit. */
  transaction<T>(work: () => T): T {
    this.#join()
    this.#savepoint.run()
    try {
      const result = work()
      this.#release.run()
      return result
    } catch (error) {
      this.#db.exec('ROLLBACK TO step; RELEASE step')
      throw error
    }
  }

  /** Commits what this turn has changed so far; nothing of it is in the file when this throws. */
  flush(): void {
    if (!this.#open) return
    this.#open = false
    try {
      this.#commit.run()
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #join(): void {
    if (this.#open) return
    this.#begin.run()
    this.#open = true
    process.nextTick(() => this.flush())
  }

  putReceipt(row: StoredReceipt): void {
    const { requestId, gateway, channel, receipt, final, workerCharge, counted, interrupted, model } = row
    this.#putReceipt.run(
      requestId,
      gateway,
      channel,
      receipt?.payload ?? '',
      receipt?.signature ?? '',
      final ? 1 : 0,
      String(workerCharge),
      String(counted),
      interrupted ? 1 : 0,
      model,
    )
  }

  receipt(requestId: string): StoredReceipt | undefined {
    const row = this.#getReceipt.get(requestId)
    return row && toReceipt(row)
  }

  dropReceipt(requestId: string): void {
    this.#dropReceipt.run(requestId)
  }

  receipts(gateway: string): StoredReceipt[] {
    return this.#listReceipts.all(gateway).map(toReceipt)
  }

  /** Marks all that waits for this gateway as cut off from it. */
  interrupt(gateway: string): void {
    this.#interrupt.run(gateway)
  }

  account(address: string): ChannelAccount | undefined {
    const row = this.#getChannel.get(address)
    return row && toAccount(row)
  }

  accounts(): ChannelAccount[] {
    return this.#listChannels.all().map(toAccount)
  }

  putAccount(account: ChannelAccount): void {
    const { address, earned, ceiling, signature, forgiven, gateway, params } = account
    const { deposited, settled, state, unsettledSince } = account
    this.#putChannel.run(
      address,
      String(earned),
      String(ceiling),
      signature,
      String(forgiven),
      gateway,
      params,
      String(deposited),
      String(settled),
      state,
      unsettledSince,
    )
  }

  close(): void {
    this.transaction(() => this.history.addTokens())
    this.flush()
    this.#db.close()
  }
}

function toReceipt(row: Record<string, unknown>): StoredReceipt {
  return {
    requestId: String(row.request_id),
    gateway: String(row.gateway),
    channel: String(row.channel),
    receipt:
      row.payload === '' ? undefined : { payload: String(row.payload), signature: String(row.signature) },
    final: row.final === 1,
    workerCharge: BigInt(String(row.worker_charge)),
    counted: BigInt(String(row.counted)),
    interrupted: row.interrupted === 1,
    model: String(row.model),
  }
}

/** A row of `channels`. */
export function toAccount(row: Record<string, unknown>): ChannelAccount {
  return {
    address: String(row.address),
    earned: BigInt(String(row.earned)),
    ceiling: BigInt(String(row.ceiling)),
    signature: String(row.signature),
    forgiven: BigInt(String(row.forgiven)),
    gateway: String(row.gateway),
    params: String(row.params),
    deposited: BigInt(String(row.deposited)),
    settled: BigInt(String(row.settled)),
    state: String(row.state) as ChannelPhase,
    unsettledSince: Number(row.unsettled_since),
  }
}
