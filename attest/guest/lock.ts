/** One process of a guest asks for quotes and extends RTMR3: whoever holds this lock file. */

import { errnoOf, GuestError } from './errors.ts'
import type { Files } from './files.ts'
import { readText } from './probe.ts'

/** A process, told apart from a later one of the same number by when it started. */
interface Holder {
  pid: number
  /** Clock ticks since the start of the machine (field 22 of /proc/PID/stat). */
  start: string
}

const MAX_TRIES = 5

/** The lock of a guest, held until `release`. A lock whose process is gone counts for nothing. */
export class GuestLock {
  readonly #files: Files
  readonly #path: string
  readonly #content: string

  private constructor(files: Files, path: string, content: string) {
    this.#files = files
    this.#path = path
    this.#content = content
  }

  /**
   * Takes the lock for the process `pid`.
   *
   * @throws GuestError ERR_GUEST_LOCKED, naming the process that has it
   */
  static async take(files: Files, path: string, pid: number): Promise<GuestLock> {
    const start = await startOf(files, pid)
    const content = JSON.stringify({ pid, start: start ?? '' } satisfies Holder)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      try {
        await files.create(path, Buffer.from(content))
        return new GuestLock(files, path, content)
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error
      }
      await removeStale(files, path, pid)
    }
    throw new GuestError('ERR_GUEST_LOCKED', `${path}: other processes keep taking the lock. Start only one`)
  }

  /** Gives the lock back; does nothing if it is no longer ours. */
  async release(): Promise<void> {
    if ((await readText(this.#files, this.#path)) === this.#content) await this.#files.remove(this.#path)
  }
}

/** Who holds the lock now, if that process still lives. */
export async function lockHolder(files: Files, path: string): Promise<number | undefined> {
  const holder = parse(await readText(files, path))
  return holder !== undefined && (await lives(files, holder)) ? holder.pid : undefined
}

/** Moves a dead process's lock out of the way; throws when its process lives. */
async function removeStale(files: Files, path: string, pid: number): Promise<void> {
  const seen = await readText(files, path)
  if (seen === undefined) return
  const holder = parse(seen)
  if (holder !== undefined && (await lives(files, holder))) {
    throw new GuestError(
      'ERR_GUEST_LOCKED',
      `process ${holder.pid} of this TD already asks for quotes (${path}). Stop it first: one worker or gateway for each TD`,
    )
  }
  const aside = `${path}.stale-${pid}`
  try {
    await files.rename(path, aside)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  // Another process may have been faster, so that what was moved is its lock: it gets it back.
  const moved = await readText(files, aside)
  if (moved !== undefined && moved !== seen) await files.create(path, Buffer.from(moved)).catch(() => {})
  await files.remove(aside)
}

function parse(text: string | undefined): Holder | undefined {
  try {
    const { pid, start } = JSON.parse(text ?? '') as Partial<Holder>
    return Number.isInteger(pid) && typeof start === 'string' ? { pid: pid as number, start } : undefined
  } catch {
    return undefined
  }
}

async function lives(files: Files, { pid, start }: Holder): Promise<boolean> {
  const now = await startOf(files, pid)
  return now !== undefined && (now === start || start === '')
}

/** When a process started, or undefined when there is none of this number. */
async function startOf(files: Files, pid: number): Promise<string | undefined> {
  const stat = await readText(files, `/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The second field, the name in parentheses, may itself hold spaces and parentheses.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}
