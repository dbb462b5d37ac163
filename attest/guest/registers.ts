/** The measurement registers of this TD, read and extended through the kernel's files. */

import { sha384 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, toHex } from '../bytes.ts'
import { denied, errnoOf, GuestError, isDenied } from './errors.ts'
import type { Files } from './files.ts'
import { findRegisters, problemError } from './probe.ts'

/** Bytes of every register. */
const LENGTH = 48

/** All measurement registers, 48 bytes each. */
export interface Measurements {
  mrTd: Uint8Array
  mrConfigId: Uint8Array
  mrOwner: Uint8Array
  mrOwnerConfig: Uint8Array
  rtmr: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
}

/**
 * Reads the measurement registers.
 *
 * @throws GuestError ERR_NOT_TDX_GUEST, ERR_GUEST_PERMISSION or ERR_GUEST_REGISTER
 */
export async function readMeasurements(files: Files): Promise<Measurements> {
  const folder = await registerFolder(files)
  const read = (name: string) => readRegister(files, `${folder}/${name}`)
  return {
    mrTd: await read('mrtd:sha384'),
    mrConfigId: await read('mrconfigid'),
    mrOwner: await read('mrowner'),
    mrOwnerConfig: await read('mrownerconfig'),
    rtmr: [
      await read('rtmr0:sha384'),
      await read('rtmr1:sha384'),
      await read('rtmr2:sha384'),
      await read('rtmr3:sha384'),
    ],
  }
}

/** The current value of RTMR3. Throws like readMeasurements. */
export async function readRtmr3(files: Files): Promise<Uint8Array> {
  return readRegister(files, `${await registerFolder(files)}/rtmr3:sha384`)
}

/** What a register becomes: SHA-384(register || digest). */
export function extended(register: Uint8Array, digest: Uint8Array): Uint8Array {
  return sha384(concat(register, digest))
}

/**
 * Extends RTMR3 by a digest (48 bytes) and returns its new value, after reading it back: nobody else may have extended
 * it in between.
 *
 * @throws GuestError ERR_NOT_TDX_GUEST, ERR_GUEST_PERMISSION or ERR_GUEST_REGISTER
 */
export async function extendRtmr3(files: Files, digest: Uint8Array): Promise<Uint8Array> {
  if (digest.length !== LENGTH)
    throw new GuestError('ERR_GUEST_REGISTER', `RTMR3: a digest of ${digest.length} bytes instead of 48`)
  const path = `${await registerFolder(files)}/rtmr3:sha384`
  const expected = extended(await readRegister(files, path), digest)
  try {
    await files.write(path, digest)
  } catch (error) {
    throw registerError(path, error)
  }
  const value = await readRegister(files, path)
  if (equalBytes(value, expected)) return value
  throw new GuestError(
    'ERR_GUEST_REGISTER',
    `RTMR3 is ${toHex(value)} after our extension and not ${toHex(expected)}: another program extends it. Reboot the TD, and let only Chrysalis extend RTMR3`,
  )
}

async function registerFolder(files: Files): Promise<string> {
  const found = await findRegisters(files)
  if ('problem' in found) throw problemError(found.problem)
  return found.folder
}

async function readRegister(files: Files, path: string): Promise<Uint8Array> {
  let value: Uint8Array
  try {
    value = await files.read(path, LENGTH)
  } catch (error) {
    throw registerError(path, error)
  }
  if (value.length === LENGTH) return value
  throw new GuestError('ERR_GUEST_REGISTER', `${path}: ${value.length} bytes instead of 48`)
}

function registerError(path: string, error: unknown): GuestError {
  if (isDenied(error)) return denied(path, error)
  const code = errnoOf(error) ?? 'failed'
  return new GuestError('ERR_GUEST_REGISTER', `${path}: ${code}: the register cannot be used`, {
    cause: error,
  })
}
