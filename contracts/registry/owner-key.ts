/** Keys of a registry's owners, in files of mode 0600 that stay on their machines. */

import type { KeyObject } from 'node:crypto'
import { ContractsError } from '../errors.ts'
import { createSeedFile, readSeedFile } from '../seed-file.ts'
import { privateKeyFromSeed } from '../voucher/keys.ts'

const OWNER_KEY = {
  code: 'ERR_REGISTRY_KEY',
  name: "owner's key file",
  cure: 'make another key and have the owners change to it, or chmod 600 it if nobody has',
}

/** An owner's private key. @throws ContractsError ERR_REGISTRY_KEY */
export async function readOwnerKey(file: string): Promise<KeyObject> {
  try {
    return privateKeyFromSeed(await readSeedFile(file, OWNER_KEY))
  } catch (error) {
    if (error instanceof ContractsError) throw error
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new ContractsError(OWNER_KEY.code, `${OWNER_KEY.name} ${file}: cannot be read (${why})`)
  }
}

/** Makes an owner's key. @throws ContractsError ERR_REGISTRY_KEY when the file is there already */
export async function createOwnerKey(file: string): Promise<KeyObject> {
  if (!(await createSeedFile(file))) {
    throw new ContractsError(
      OWNER_KEY.code,
      `${OWNER_KEY.name} ${file}: is there already, and is never replaced`,
    )
  }
  return await readOwnerKey(file)
}
