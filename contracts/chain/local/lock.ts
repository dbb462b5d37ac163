import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { ContractsError } from '../../errors.ts'

const FILE = 'lock.sqlite'
const POLL_MS = 50
const SQLITE_BUSY = 5

/**
 * Takes the chain's folder for this process alone: two processes that write one state file would undo each other's
 * transactions. The lock is an exclusive SQLite transaction, that is a lock of the operating system: it ends with the
 * process however that ends. Nobody may open `lock.sqlite` by other means, which would drop the lock on POSIX.
 *
 * @param waitMs how long a holder may take to end, e.g. one whose supervisor was killed
 * @returns gives the lock back
 * @throws ContractsError ERR_CHAIN_LOCKED
 */
export async function takeChainLock(dir: string, waitMs = 0): Promise<() => void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const until = performance.now() + waitMs
  for (;;) {
    const release = tryLock(join(dir, FILE))
    if (release) return release
    if (performance.now() >= until) {
      throw new ContractsError('ERR_CHAIN_LOCKED', `the local chain in ${dir} is in use by another process`)
    }
    await setTimeout(POLL_MS)
  }
}

function tryLock(file: string): (() => void) | undefined {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
    return () => database.close()
  } catch (error) {
    database.close()
    if ((Number((error as { errcode?: unknown }).errcode) & 0xff) !== SQLITE_BUSY) throw error
    return undefined
  }
}
