import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tryLock } from '../../contracts/lock.ts'
import { DataError } from './errors.ts'

export const LOCK_FILES = [
  'lock.sqlite',
  'lock.sqlite-journal',
  'lock.sqlite-wal',
  'lock.sqlite-shm',
  'lock.pid',
]

/**
 * Takes a data folder for this process alone, see `tryLock`.
 *
 * @returns gives the folder back
 * @throws DataError `ERR_DATA_LOCKED` when another process holds it
 */
export function takeLock(dir: string): () => void {
  const release = tryLock(dir)
  if (!release) throw new DataError('ERR_DATA_LOCKED', lockedMessage(dir))
  // The holder's number is a help for people only: nothing is decided by it, so it needs no fsync.
  writeFileSync(join(dir, 'lock.pid'), `${process.pid}\n`, { mode: 0o600 })
  return release
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
