import { open } from 'node:fs/promises'

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
