/** Ed25519 seeds in files of mode 0600: wallets, owners of a registry. */

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ContractsError } from './errors.ts'
import { createFile, isOpenToOthers } from './files.ts'

/** What a refusal says of a seed file. */
export interface SeedFileKind {
  code: string
  /** As in `wallet key file`. */
  name: string
  /** What to do with a key that others may have read. */
  cure: string
}

/** The 32 bytes in `file`. @throws ContractsError with `kind.code`; the file system's errors as they are */
export async function readSeedFile(file: string, { code, name, cure }: SeedFileKind): Promise<Buffer> {
  const text = (await readFile(file, 'utf8')).trim()
  if (await isOpenToOthers(file)) {
    throw new ContractsError(code, `${name} ${file}: other users of this machine can read it: ${cure}`)
  }
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new ContractsError(code, `${name}: 64 lower-case hexadecimal digits expected`)
  }
  return Buffer.from(text, 'hex')
}

/**
 * Makes a seed file that is there as a whole or not at all, and never replaces one.
 * @returns false, with nothing changed, when there is a file already
 */
export function createSeedFile(file: string): Promise<boolean> {
  return createFile(file, `${randomBytes(32).toString('hex')}\n`)
}
