import { open, readFile } from 'node:fs/promises'
import { replaceFile } from '../../contracts/files.ts'
import { checkPaymentExpiry } from '../../contracts/index.ts'
import { conflict } from '../../worker/protocol/index.ts'
import { fromCodec } from './refusals.ts'

/** Lines appended beyond those that still count, before the file is written anew without the others. */
const SLACK = 4096
const LINE = /^([0-9a-f]{32}) ([1-9][0-9]{0,15})$/

/**
 * Request ids that were used and have not expired. The ledger refuses what it has ever held money for; this refuses
 * the rest (reads, requests that failed before, repeats that were answered from memory), so that a captured header is
 * good for nothing while it lasts: a client that was told that its request had failed must not be charged for it after
 * the gateway's next start. An id is therefore on disk before anything is done for it.
 */
export class UsedOnce {
  readonly #file: string | undefined
  /** Request id to Unix second of its expiry, in the order of use. */
  readonly #used = new Map<string, number>()
  /** Lines that the next write takes along. */
  #waiting: string[] = []
  #next: Promise<void> | undefined
  #last: Promise<unknown> = Promise.resolve()
  /** Lines of the file; undefined while it is not known to hold all that was used. */
  #lines: number | undefined

  /** One that forgets everything with its process, for tests: see {@link UsedOnce.open}. */
  constructor(file?: string) {
    this.#file = file
  }

  /** Reads what a former process noted. @param file is made at the first use */
  static async open(file: string): Promise<UsedOnce> {
    const used = new UsedOnce(file)
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    for (const line of text.split('\n')) {
      // The last line may be torn by a power cut: nobody was told of it.
      const [, id, expires] = LINE.exec(line) ?? []
      if (id !== undefined) used.#used.set(id, Number(expires))
    }
    return used
  }

  /**
   * Resolves when the id is used for good, whatever happens to this process.
   *
   * @param expires Unix seconds, at most a few minutes ahead
   * @param now Unix seconds
   * @throws ApiError 409 when the id was used, 402 when it has expired
   */
  async take(requestId: string, expires: number, now: number): Promise<void> {
    // It was checked before the body came, which may have taken until now; ids that expired are forgotten here.
    demandUnexpired(expires, now)
    this.#forget(now)
    this.demandUnused(requestId)
    this.#used.set(requestId, expires)
    if (this.#file !== undefined) await this.#note(this.#file, `${requestId} ${expires}\n`)
  }

  /** @throws ApiError 409 when the id was used */
  demandUnused(requestId: string): void {
    if (this.#used.has(requestId)) throw replayed()
  }

  /** Whoever came first is looked at first; one that lasts longer holds up the others by a few minutes at most. */
  #forget(now: number): void {
    for (const [id, expires] of this.#used) {
      if (expires > now) return
      this.#used.delete(id)
    }
  }

  /** What comes while the disk is busy goes together in the write after that. */
  #note(file: string, line: string): Promise<void> {
    this.#waiting.push(line)
    if (this.#next) return this.#next
    const next = this.#last.then(() => this.#write(file))
    this.#last = next.catch(() => {})
    this.#next = next
    return next
  }

  async #write(file: string): Promise<void> {
    this.#next = undefined
    const lines = this.#waiting.splice(0)
    const before = this.#lines
    // Until it has worked, nobody knows what of it is on the disk: then all of it is written anew.
    this.#lines = undefined
    if (before === undefined || before > 2 * this.#used.size + SLACK) {
      const all = [...this.#used].map(([id, expires]) => `${id} ${expires}\n`)
      await replaceFile(file, all.join(''))
      this.#lines = all.length
      return
    }
    await append(file, lines.join(''))
    this.#lines = before + lines.length
  }
}

function demandUnexpired(expires: number, now: number): void {
  try {
    checkPaymentExpiry(expires, now)
  } catch (error) {
    throw fromCodec(error)
  }
}

async function append(file: string, text: string): Promise<void> {
  const handle = await open(file, 'a', 0o600)
  try {
    await handle.writeFile(text)
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** 409: another request was paid with this id. */
export function replayed() {
  return conflict(
    'This payment was used before. Sign each request anew, with a request.id of its own.',
    'payment_replayed',
  )
}
