/** Files that appear whole or not at all, readable by their owner alone. Node only. */

import { randomUUID } from 'node:crypto'
import { link, open, rename, unlink } from 'node:fs/promises'

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
