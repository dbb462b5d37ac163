import { randomBytes } from 'node:crypto'
import { type FileHandle, link, lstat, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DataError, errnoOf } from './errors.ts'

/** Temporary files of `writeFileAtomic` look like this; a crash may leave one behind, and it is never read. */
export const TEMP_FILE = /^\.[A-Za-z0-9._-]+\.[0-9a-f]{16}\.tmp$/

/** Windows has no mode bits to check: there the folder's access list (the user's profile) has to do. */
const hasModes = process.platform !== 'win32'

/** Makes a folder, and the missing ones above it, readable by this user only (0700). */
export async function ensurePrivateDir(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
}

/**
 * Replaces a file so that a crash at any moment leaves either the old content or the new one, never a mixture:
 * a temporary file beside it is written and synced, renamed over it, and the folder is synced.
 *
 * @param mode permission bits of the new file, 0600 unless told otherwise
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string, mode = 0o600): Promise<void> {
  const temporary = await writeTemporary(path, data, mode)
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
  await syncDir(dirname(path))
}

/**
 * Reads a secret, or makes it on first use. Two processes that come at once end up with the same secret, because
 * the file appears under its name complete or not at all, and the first one wins.
 *
 * @param create makes the bytes of a new secret
 * @throws DataError `ERR_SECRET_MODE` when the file is not a regular file of this user with mode 0600 or narrower
 */
export async function openSecret(path: string, create: () => Uint8Array): Promise<Uint8Array> {
  const existing = await readSecret(path)
  if (existing) return existing
  const temporary = await writeTemporary(path, create(), 0o600)
  try {
    await link(temporary, path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
  await syncDir(dirname(path))
  const secret = await readSecret(path)
  if (!secret) throw new DataError('ERR_DATA_FOLDER', `secret file ${path} vanished while it was being made`)
  return secret
}

/**
 * Reads a secret file, or gives undefined when there is none.
 *
 * @throws DataError `ERR_SECRET_MODE` as `openSecret`
 */
export async function readSecret(path: string): Promise<Uint8Array | undefined> {
  try {
    await checkSecretFile(path)
    return await readFile(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function checkSecretFile(path: string): Promise<void> {
  const status = await lstat(path)
  if (!status.isFile()) {
    throw new DataError('ERR_SECRET_MODE', `secret file ${path} is not a regular file: remove it and restart`)
  }
  if (!hasModes) return
  const mode = status.mode & 0o777
  if (mode & 0o077) {
    throw new DataError(
      'ERR_SECRET_MODE',
      `secret file ${path} has mode ${mode.toString(8)}, so other users of this machine can reach it: ` +
        'treat the secret as known to them and make a new one, or run chmod 600 on the file',
    )
  }
  if (status.uid !== process.getuid?.()) {
    throw new DataError('ERR_SECRET_MODE', `secret file ${path} belongs to another user (uid ${status.uid})`)
  }
}

async function writeTemporary(path: string, data: Uint8Array | string, mode: number): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`)
  let file: FileHandle | undefined
  try {
    file = await open(temporary, 'wx', mode)
    await file.writeFile(data)
    await file.sync()
  } catch (error) {
    if (file) await unlink(temporary).catch(() => undefined)
    throw error
  } finally {
    await file?.close()
  }
  return temporary
}

/** Makes renames and new names in a folder durable. Windows cannot open a folder, and needs no such step. */
export async function syncDir(path: string): Promise<void> {
  if (!hasModes) return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
