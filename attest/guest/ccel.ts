/** The firmware's event log: the ACPI table CCEL says that there is one, the file beside it holds it. */

import { MAX_EVENT_LOG, parseCcelTable, trimCcel } from '../eventlog/index.ts'
import { denied, errnoOf, GuestError, isDenied } from './errors.ts'
import type { Files } from './files.ts'

export const CCEL_TABLE = '/sys/firmware/acpi/tables/CCEL'
export const CCEL_DATA = '/sys/firmware/acpi/tables/data/CCEL'

/** ACPI table field "CC type": Intel TDX. */
const TDX = 2

/**
 * Reads the firmware's event log without its padding, or undefined where the firmware keeps none. Its form is checked;
 * whether it is true is for a verifier.
 *
 * @throws GuestError ERR_GUEST_PERMISSION or ERR_NOT_TDX_GUEST, EventLogError when it is no log
 */
export async function readCcel(files: Files): Promise<Uint8Array | undefined> {
  const table = await readOptional(files, CCEL_TABLE, 4096)
  if (table === undefined) return undefined
  const { type } = parseCcelTable(table)
  if (type !== TDX) {
    throw new GuestError(
      'ERR_NOT_TDX_GUEST',
      `not a TDX guest: the ACPI table CCEL is of type ${type} and not of type 2 (TDX). Run this inside a trust domain`,
    )
  }
  const data = await readOptional(files, CCEL_DATA, MAX_EVENT_LOG)
  return data === undefined ? undefined : trimCcel(data)
}

async function readOptional(files: Files, path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    return await files.read(path, limit)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    if (isDenied(error)) throw denied(path, error)
    throw error
  }
}
