import { lstat, mkdir, readFile } from 'node:fs/promises'
import { createFile } from '../../contracts/files.ts'
import { DataError, errnoOf } from './errors.ts'

/** Windows has no mode bits to check: there the folder's access list (the user's profile) has to do. */
const hasModes = process.platform !== 'win32'

/** Makes a folder, and the missing ones above it, readable by this user only (0700). */
export async function ensurePrivateDir(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
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
  // When another process was first, its secret counts.
  await createFile(path, create())
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
