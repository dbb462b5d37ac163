/** What the sidecar must not forget about one channel, in SQLite: no prompt, no key, no secret. */

import type { DatabaseSync } from 'node:sqlite'
import { SidecarError } from './errors.ts'
import {
  type ChannelRow,
  type Cursor,
  type Halt,
  openStateFile,
  type PaidRequest,
  requestOf,
} from './state-file.ts'

/** Numbers that are left out after a loss of the file, as they may have been used. */
export const SKIP = 1 << 12

/** Numbers that are set aside by one fsync; a restart skips what is left of them. */
export const BLOCK = 256

/**
 * The file is written ahead (WAL). A voucher is fsynced before `raise` returns, and with it all that was written before;
 * other commits survive the end of the process, and of what a power cut takes from them the gateway's receipts tell.
 */
export class SidecarState {
  readonly #db: DatabaseSync
  readonly address: string
  /** Whether the file was new: then nothing is known of what was signed before. */
  readonly fresh: boolean
  #ceiling = 0n
  #signature: Uint8Array = new Uint8Array(0)
  #counted = 0n
  #deposited = 0n
  #cursor: Cursor = { after: '', total: 0n }
  #behind = false
  #halt: Halt | undefined
  #next = 0
  #reserved = 0
  readonly #open = new Map<string, PaidRequest>()

  /**
   * @param file a path, or `:memory:`
   * @param address raw address of the channel
   * @throws SidecarError ERR_SIDECAR_STATE for a file of another channel or a newer program, or whose sums are wrong
   */
  constructor(file: string, address: string) {
    const { db, channel, fresh } = openStateFile(file, address)
    this.address = address
    this.fresh = fresh
    this.#db = db
    try {
      this.#load(channel, file)
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** Highest ceiling ever signed, and its signature (empty while it is 0). */
  get ceiling(): bigint {
    return this.#ceiling
  }
  get signature(): Uint8Array {
    return this.#signature
  }
  /** Sum of all charges that were counted. */
  get verified(): bigint {
    return this.#counted
  }
  /** Deposit as last heard of. */
  get deposited(): bigint {
    return this.#deposited
  }
  get cursor(): Cursor {
    return this.#cursor
  }
  /**
   * The gateway held a higher voucher of this key than was known here: the file was lost or is an old one. True until its
   * list has been gone through.
   */
  get behind(): boolean {
    return this.#behind
  }
  get halted(): Halt | undefined {
    return this.#halt
  }

  /** Requests that may be charged still, oldest first. */
  open(): PaidRequest[] {
    return [...this.#open.values()]
  }

  /** Most that the open requests may be charged. */
  get openCaps(): bigint {
    let sum = 0n
    for (const { cap } of this.#open.values()) sum += cap
    return sum
  }

  /** Keeps a higher voucher; on disk when this returns. */
  raise(ceiling: bigint, signature: Uint8Array): void {
    if (ceiling <= this.#ceiling) throw new RangeError('a ceiling that is not higher')
    this.#durably(() => this.#set('ceiling = ?, signature = ?', ceiling.toString(), signature))
    this.#ceiling = ceiling
    this.#signature = signature
  }

  /** The number of the next request: never one that was given out before, whatever a power cut took. */
  next(): number {
    if (this.#next >= this.#reserved) this.skipTo(this.#next)
    return this.#next++
  }

  /** Numbers begin at `n` from now on. */
  skipTo(n: number): void {
    const reserved = n + BLOCK
    this.#durably(() => this.#set('reserved = ?', String(reserved)))
    this.#next = n
    this.#reserved = reserved
  }

  /** Leaves out numbers that may have been used before a loss of this file. */
  skip(): void {
    this.skipTo(this.#next + SKIP)
  }

  /** All numbers that were ever given out are below this one, as far as this file knows. */
  get reserved(): number {
    return this.#reserved
  }

  /** Notes a request before it is sent. */
  begin(request: Pick<PaidRequest, 'n' | 'requestId' | 'path' | 'cap' | 'bounds' | 'at'>): PaidRequest {
    const { n, requestId, path, cap, bounds, at } = request
    const row: PaidRequest = { ...request, state: 'open', charged: 0n, digest: '' }
    this.#db
      .prepare("INSERT INTO requests VALUES (?, ?, ?, ?, ?, 'open', '0', '', ?, 0)")
      .run(n, requestId, path, cap.toString(), bounds ? JSON.stringify(bounds) : '', at)
    this.#open.set(requestId, row)
    return row
  }

  /** Counts a proven charge. @throws RangeError when it was counted before */
  count(requestId: string, charged: bigint, digest: string): void {
    const { changes } = this.#db
      .prepare(
        "UPDATE requests SET state = 'charged', charged = ?, digest = ? WHERE request_id = ? AND state <> 'charged'",
      )
      .run(charged.toString(), digest, requestId)
    if (changes !== 1) throw new RangeError('a request that is unknown or counted already')
    this.#open.delete(requestId)
    this.#counted += charged
  }

  /** Notes that a request ended and nothing was charged; should it be after all, it can be counted still. */
  void(requestId: string): void {
    this.#end(requestId, 'void')
  }

  /** Notes that the gateway refused a request, to be sent again otherwise: from now on a charge for it is a lie. */
  deny(requestId: string): void {
    this.#end(requestId, 'denied')
  }

  /**
   * Notes that the gateway's list has shown a request, and that the list was gone through up to it: both or neither, as
   * an entry that was noted twice would look like one that is listed twice.
   * @returns false, with nothing noted, when it was listed before
   */
  list(requestId: string, cursor: Cursor): boolean {
    this.#db.exec('BEGIN IMMEDIATE')
    const { changes } = this.#db
      .prepare('UPDATE requests SET listed = 1 WHERE request_id = ? AND listed = 0')
      .run(requestId)
    this.#set('cursor = ?, cursor_total = ?', cursor.after, cursor.total.toString())
    this.#db.exec(changes === 1 ? 'COMMIT' : 'ROLLBACK')
    if (changes === 1) this.#cursor = cursor
    return changes === 1
  }

  request(requestId: string): PaidRequest | undefined {
    const row = this.#db.prepare('SELECT * FROM requests WHERE request_id = ?').get(requestId)
    return row && requestOf(row)
  }

  /** Every proven charge, oldest first. */
  *charges(): Generator<PaidRequest> {
    for (const row of this.#db
      .prepare("SELECT * FROM requests WHERE state = 'charged' ORDER BY at, n")
      .iterate())
      yield requestOf(row)
  }

  setDeposited(deposited: bigint): void {
    if (deposited === this.#deposited) return
    this.#set('deposited = ?', deposited.toString())
    this.#deposited = deposited
  }

  setBehind(behind: boolean): void {
    this.#set('behind = ?', behind ? '1' : '0')
    this.#behind = behind
  }

  setHalt(halt: Halt | undefined): void {
    this.#set('halt = ?', halt ? JSON.stringify(halt) : '')
    this.#halt = halt
  }

  close(): void {
    this.#db.close()
  }

  #end(requestId: string, state: 'void' | 'denied'): void {
    this.#db
      .prepare("UPDATE requests SET state = ? WHERE request_id = ? AND state = 'open'")
      .run(state, requestId)
    this.#open.delete(requestId)
  }

  #durably(work: () => void): void {
    this.#db.exec('PRAGMA synchronous = FULL')
    try {
      work()
    } finally {
      this.#db.exec('PRAGMA synchronous = NORMAL')
    }
  }

  #set(assignments: string, ...values: (string | Uint8Array)[]): void {
    this.#db.prepare(`UPDATE channel SET ${assignments} WHERE id = 1`).run(...values)
  }

  #load(row: ChannelRow, file: string): void {
    this.#ceiling = BigInt(row.ceiling)
    this.#signature = row.signature
    this.#deposited = BigInt(row.deposited)
    this.#cursor = { after: row.cursor, total: BigInt(row.cursor_total) }
    this.#behind = row.behind === 1
    this.#halt = row.halt === '' ? undefined : (JSON.parse(row.halt) as Halt)
    for (const each of this.#db.prepare('SELECT * FROM requests').iterate()) {
      const request = requestOf(each)
      this.#counted += request.charged
      if (request.state === 'open') this.#open.set(request.requestId, request)
    }
    this.#next = row.reserved
    this.#reserved = row.reserved
    if (this.#ceiling > 0n && this.#signature.length !== 64)
      throw new SidecarError('ERR_SIDECAR_STATE', `${file} holds no signature for its ceiling`)
  }
}
