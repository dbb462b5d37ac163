/** The tables of the earnings file, as steps from each version to the next. */

import type { DatabaseSync } from 'node:sqlite'
import { EarningsError } from './errors.ts'

// Step n leads from version n to n + 1 and is never changed once it was released; a change of a table is a new step.
// Amounts are decimal text: SQLite's integers are 64 bits, the driver's numbers 53.
const STEPS = [
  `
  CREATE TABLE IF NOT EXISTS receipts (
    request_id TEXT PRIMARY KEY, gateway TEXT NOT NULL, channel TEXT NOT NULL, payload TEXT NOT NULL,
    signature TEXT NOT NULL, final INTEGER NOT NULL, worker_charge TEXT NOT NULL, counted TEXT NOT NULL, interrupted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS receipts_by_gateway ON receipts (gateway);
  CREATE TABLE IF NOT EXISTS channels (
    address TEXT PRIMARY KEY, earned TEXT NOT NULL, ceiling TEXT NOT NULL, signature TEXT NOT NULL,
    forgiven TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
]

/** The version that this program writes, in SQLite's `user_version`. */
export const EARNINGS_VERSION = STEPS.length

/**
 * Brings the file to this program's version, all or nothing.
 * @param file its name, for the message
 * @throws EarningsError ERR_EARNINGS_VERSION when a newer program wrote the file
 */
export function migrate(db: DatabaseSync, file: string): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    const found = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    if (found > EARNINGS_VERSION) {
      throw new EarningsError(
        'ERR_EARNINGS_VERSION',
        `${file} has version ${found}, this program knows up to ${EARNINGS_VERSION}: use a newer worker`,
      )
    }
    for (const step of STEPS.slice(found)) db.exec(step)
    db.exec(`PRAGMA user_version = ${EARNINGS_VERSION}`)
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}
