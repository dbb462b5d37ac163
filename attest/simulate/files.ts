/** Files of a simulated installation: secrets are written whole, once, and readable by their owner alone. */

import { chmod, readFile } from 'node:fs/promises'
import { createFile, makeFolder } from '../node-files.ts'

/** Makes the folder if it is not there, for its owner alone (0700). */
export async function privateFolder(dir: string): Promise<void> {
  await makeFolder(dir, 0o700)
  await chmod(dir, 0o700)
}

/** The content of a file, undefined where there is none. */
async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The content of a file that is made on first use; of several who make it at once, that of whoever was first. */
export async function readOrMake(file: string, make: () => string): Promise<string> {
  const known = await readIfThere(file)
  if (known !== undefined) return known
  await writeOnce(file, make())
  return readFile(file, 'utf8')
}

/** Writes a file (0600, synced) unless it is there. */
export async function publishOnce(file: string, content: Uint8Array): Promise<void> {
  if ((await readIfThere(file)) === undefined) await writeOnce(file, content)
}

/** Writes a file whole unless another process was first, whose file then stands. */
async function writeOnce(file: string, content: string | Uint8Array): Promise<void> {
  try {
    await createFile(file, content)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
