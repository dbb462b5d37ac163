import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DataError } from './errors.ts'

export const LOCK_FILES = [
  'lock.sqlite',
  'lock.sqlite-journal',
  'lock.sqlite-wal',
  'lock.sqlite-shm',
  'lock.pid',
]

/**
 * Takes the folder's lock: an exclusive SQLite transaction, that is a lock of the operating system, which ends
 * with this process however it ends, so no stale lock file can block a restart.
 *
 * POSIX drops a process's locks on a file as soon as it closes *any* handle to it, so the holding process must
 * never open `lock.sqlite` by other means.
 *
 * @returns gives the lock back
 * @throws DataError `ERR_DATA_LOCKED` when another process holds it
 */
export function takeLock(dir: string): () => void {
  const database = new DatabaseSync(join(dir, 'lock.sqlite'), { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (!isBusy(error)) throw error
    throw new DataError('ERR_DATA_LOCKED', lockedMessage(dir), { cause: error })
  }
  // The holder's number is a help for people only: nothing is decided by it, so it needs no fsync.
  writeFileSync(join(dir, 'lock.pid'), `${process.pid}\n`, { mode: 0o600 })
  return () => database.close()
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false
  // SQLITE_BUSY is 5; extended codes keep the primary one in the low byte.
  return typeof error.errcode === 'number' && (error.errcode & 0xff) === 5
}

function lockedMessage(dir: string): string {
  const pid = holder(dir)
  const who = pid === undefined ? 'another process' : `another Chrysalis process (pid ${pid})`
  return `the data folder ${dir} is in use by ${who}: stop it first, or choose another folder with --data`
}

function holder(dir: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(dir, 'lock.pid'), 'utf8'), 10)
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
