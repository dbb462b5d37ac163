import { randomBytes } from 'node:crypto'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Names of the temporary files here: a crash may leave one behind, and nobody ever reads it. */
export const TEMPORARY_FILE = /^\.[A-Za-z0-9._-]+\.[0-9a-f]{16}\.tmp$/

/**
 * Makes renames and new names in a folder durable. Windows has no such call (opening a folder fails there), and its
 * file system journals names by itself.
 */
export async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Whether other users of this machine can reach a file that holds a secret. Windows has no mode bits to ask. */
export async function isOpenToOthers(file: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0
}

/** Puts a file of mode 0600 in the place of what is there; durable when it resolves, and never half of each. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = await writeBeside(file, content)
  try {
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(dirname(file))
}

/**
 * Makes a file of mode 0600 that is there as a whole or not at all, and never replaces one.
 * @returns false, with nothing changed, when another process was first
 */
export async function createFile(file: string, content: string | Uint8Array): Promise<boolean> {
  const temporary = await writeBeside(file, content)
  try {
    await link(temporary, file)
    await syncFolder(dirname(file))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

async function writeBeside(file: string, content: string | Uint8Array): Promise<string> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(8).toString('hex')}.tmp`)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return temporary
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
