/** Files that appear whole or not at all, readable by their owner alone. Node only. */

import { randomUUID } from 'node:crypto'
import { link, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Node's own recursive form never ends where a folder that exists
 * takes no new one and says so by ENOENT, as those of /proc do.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path), mode)
    // Another process may have been quicker.
    await mkdir(path, { mode }).catch((late: NodeJS.ErrnoException) => {
      if (late.code !== 'EEXIST') throw late
    })
  }
}

/** Puts a file (0600) in the place of what is there, whole, and synced to disk. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = await writeBeside(path, content)
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

/** Creates a file (0600) with its content at once; throws EEXIST when the name is taken. */
export async function createFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = await writeBeside(path, content)
  try {
    // link, unlike rename, fails when the name is taken; and nobody sees a file without its content.
    await link(temporary, path)
  } finally {
    await unlink(temporary)
  }
}

async function writeBeside(path: string, content: string | Uint8Array): Promise<string> {
  const temporary = `${path}.${randomUUID()}`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  return temporary
}
