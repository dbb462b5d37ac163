import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'

const POLL_MS = 50
const SQLITE_BUSY = 5

/**
 * Takes a folder for this process alone. The lock is an exclusive SQLite transaction on its `lock.sqlite`, that is a lock
 * of the operating system, which ends with the process however that ends: no stale file can block a restart. Nobody may
 * open `lock.sqlite` by other means: POSIX drops a process's locks on a file when it closes any handle to it.
 *
 * @param dir a folder that exists
 * @returns gives the folder back; undefined when another holder has it
 */
export function tryLock(dir: string): (() => void) | undefined {
  const database = new DatabaseSync(join(dir, 'lock.sqlite'), { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
    return () => database.close()
  } catch (error) {
    database.close()
    if (!isBusy(error)) throw error
    return undefined
  }
}

/**
 * As {@link tryLock}, for a folder that is made (0700) when it is not there, and with patience for a holder that is
 * about to end.
 *
 * @param waitMs how long a holder may take, e.g. one whose supervisor was killed
 */
export async function waitForLock(dir: string, waitMs = 0): Promise<(() => void) | undefined> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const until = performance.now() + waitMs
  for (;;) {
    const release = tryLock(dir)
    if (release || performance.now() >= until) return release
    await setTimeout(POLL_MS)
  }
}

/** Extended codes of SQLite keep the primary one in the low byte. */
function isBusy(error: unknown): boolean {
  return (Number((error as { errcode?: unknown }).errcode) & 0xff) === SQLITE_BUSY
}
