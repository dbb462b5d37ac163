/** A real TDX guest as the source of evidence. */

import { equalBytes, toHex } from '../bytes.ts'
import type { CollateralSource } from '../collateral/source.ts'
import { encodeEventLog, type MeasuredEvent } from '../eventlog/index.ts'
import type { Tee } from '../evidence/bundle.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { parseQuote } from '../tdx/quote.ts'
import { readCcel } from './ccel.ts'
import { denied, GuestError, isDenied } from './errors.ts'
import { type Files, NodeFiles } from './files.ts'
import { collectGpuEvidence } from './gpu.ts'
import { GuestLock } from './lock.ts'
import { measureOnce } from './measured.ts'
import { findGuestProblem, findReportProblem, problemError } from './probe.ts'
import { quoteFromConfigfs } from './quote.ts'
import { type Exec, nodeExec, type Sleep, sleep } from './system.ts'

/** Folder of the lock and of the record of our events: gone with each boot, and only root may read it. */
export const RUNTIME_FOLDER = '/run/chrysalis'
export const LOCK_FILE = 'quotes.lock'
export const RECORD_FILE = 'measured.json'

/** The machine that a guest runs on; every part has a standard. */
export interface GuestMachine {
  /** Root of the file tree, for tests: "" is this machine. Not used when `files` is given. */
  root?: string
  files?: Files
  exec?: Exec
  sleep?: Sleep
  /** The process that holds the lock. */
  pid?: number
  /** RUNTIME_FOLDER when absent. */
  runtimeFolder?: string
}

export interface TdxGuestOptions extends GuestMachine {
  /** What is measured into RTMR3, in order: `measuredEvents(claims, configuration)`. */
  events: readonly MeasuredEvent[]
  /** Without one, evidence carries no collateral and a verifier gets its own. */
  collateral?: Pick<CollateralSource, 'collateral'>
  /** The GPUs that the claims name; without it there is no GPU evidence. */
  gpu?: { nvattest?: string; switches?: boolean }
}

/** Quotes, event log and GPU evidence of the TD that this process runs in. One process of a TD may have it open. */
export class TdxGuest implements Tee {
  readonly kind = 'tdx'
  readonly #files: Files
  readonly #exec: Exec
  readonly #sleep: Sleep
  readonly #options: TdxGuestOptions
  readonly #lock: GuestLock
  /** RTMR3 after our events. */
  readonly #rtmr3: Uint8Array
  readonly #eventLog: Uint8Array
  /** The quote that is being made: the kernel makes one at a time. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    options: TdxGuestOptions,
    parts: { files: Files; lock: GuestLock; rtmr3: Uint8Array; eventLog: Uint8Array },
  ) {
    this.#options = options
    this.#files = parts.files
    this.#exec = options.exec ?? nodeExec
    this.#sleep = options.sleep ?? sleep
    this.#lock = parts.lock
    this.#rtmr3 = parts.rtmr3
    this.#eventLog = parts.eventLog
  }

  /**
   * Takes the lock of this TD and extends RTMR3 by the events, unless this boot already has them there.
   *
   * @throws GuestError ERR_NOT_TDX_GUEST, ERR_GUEST_PERMISSION, ERR_GUEST_LOCKED, ERR_GUEST_REGISTER; EventLogError
   * when the firmware's log is none
   */
  static async open(options: TdxGuestOptions): Promise<TdxGuest> {
    const files = options.files ?? new NodeFiles(options.root)
    const folder = options.runtimeFolder ?? RUNTIME_FOLDER
    const lock = await lockGuest(files, folder, options.pid ?? process.pid)
    try {
      const eventLog = encodeEventLog({ ccel: await readCcel(files), events: options.events })
      const rtmr3 = await measureOnce(files, `${folder}/${RECORD_FILE}`, options.events)
      return new TdxGuest(options, { files, lock, rtmr3, eventLog })
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /**
   * Quotes 64 bytes of report data. Refuses a quote of a TD whose RTMR3 is not what the event log says, since nobody
   * would accept it.
   *
   * @throws GuestError ERR_GUEST_QUOTE, ERR_GUEST_REGISTER, ERR_GUEST_PERMISSION or ERR_NOT_TDX_GUEST
   */
  async quote(reportData: Uint8Array): Promise<Uint8Array> {
    const asked = this.#last.then(() =>
      quoteFromConfigfs({ files: this.#files, sleep: this.#sleep }, reportData),
    )
    this.#last = asked.catch(() => {})
    const quote = await asked
    const [, , , rtmr3] = parseQuote(quote).body.rtmr
    if (equalBytes(rtmr3, this.#rtmr3)) return quote
    throw new GuestError(
      'ERR_GUEST_REGISTER',
      `the quote has RTMR3 ${toHex(rtmr3)} and not ${toHex(this.#rtmr3)}: another program extended it after we did. Reboot the TD, and let only Chrysalis extend RTMR3`,
    )
  }

  /** Collateral for this quote from the injected source, or undefined without one. */
  async collateral(quote: Uint8Array): Promise<Collateral | undefined> {
    return this.#options.collateral?.collateral(quote)
  }

  /** The firmware's log and our events, as `chrysalis/event-log/1`. */
  async eventLog(): Promise<Uint8Array> {
    return this.#eventLog
  }

  /** Evidence of the GPUs over a nonce of 32 bytes; undefined when the guest was opened without GPUs. */
  async gpu(nonce: Uint8Array): Promise<Uint8Array | undefined> {
    const { gpu } = this.#options
    return gpu === undefined ? undefined : collectGpuEvidence(nonce, { exec: this.#exec, ...gpu })
  }

  /** Gives the lock back, so that another process of this TD can open it. */
  async close(): Promise<void> {
    await this.#last
    await this.#lock.release()
  }
}

/**
 * Takes the lock of the TD that this process runs in, once that has all that quotes need.
 *
 * @throws GuestError ERR_NOT_TDX_GUEST, ERR_GUEST_PERMISSION or ERR_GUEST_LOCKED
 */
export async function lockGuest(files: Files, folder: string, pid: number): Promise<GuestLock> {
  const problem = (await findGuestProblem(files)) ?? (await findReportProblem(files))
  if (problem !== undefined) throw problemError(problem)
  try {
    await files.ensureFolder(folder)
    return await GuestLock.take(files, `${folder}/${LOCK_FILE}`, pid)
  } catch (error) {
    if (isDenied(error)) throw denied(folder, error)
    throw error
  }
}
