/** Where the ledgers of tests are kept: in a SQLite file, unless the file of tests has asked for PostgreSQL. */

import { join } from 'node:path'
import type { LedgerPlace } from '../types.ts'

let newSchema: (() => Promise<string>) | undefined

/** From now on each ledger of this file of tests gets a schema of a PostgreSQL database. */
export function usePostgres(schema: () => Promise<string>): void {
  newSchema = schema
}

/** Whether it has: there each step is a few round trips and a commit of another process, so that less is tried. */
export const onPostgres = (): boolean => newSchema !== undefined

/** A place for a new ledger; `dir` is the test's own folder. */
export async function newPlace(dir: string): Promise<LedgerPlace> {
  return newSchema ? { postgres: await newSchema() } : { file: join(dir, 'ledger.sqlite') }
}

/** A place as an argument of a process, and back. Those of tests have no password. */
export const placeToText = (place: LedgerPlace): string => place.postgres ?? place.file
export const placeFromText = (text: string): LedgerPlace =>
  text.startsWith('postgresql:') ? { postgres: text } : { file: text }
