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
  // What a channel needs to be settled without its gateway, and the history by day. An empty day or model is what was
  // before: this file did not see it.
  `
  ALTER TABLE receipts ADD COLUMN model TEXT NOT NULL DEFAULT '';
  ALTER TABLE channels ADD COLUMN gateway TEXT NOT NULL DEFAULT '';
  ALTER TABLE channels ADD COLUMN params TEXT NOT NULL DEFAULT '';
  ALTER TABLE channels ADD COLUMN deposited TEXT NOT NULL DEFAULT '0';
  ALTER TABLE channels ADD COLUMN settled TEXT NOT NULL DEFAULT '0';
  ALTER TABLE channels ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
  ALTER TABLE channels ADD COLUMN unsettled_since INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE work (
    day TEXT NOT NULL, model TEXT NOT NULL, requests INTEGER NOT NULL, prompt INTEGER NOT NULL, cached INTEGER NOT NULL,
    completion INTEGER NOT NULL, reasoning INTEGER NOT NULL, earned TEXT NOT NULL, forgiven TEXT NOT NULL,
    PRIMARY KEY (day, model)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE payments (
    day TEXT NOT NULL, channel TEXT NOT NULL, vouchered TEXT NOT NULL, settled TEXT NOT NULL,
    PRIMARY KEY (day, channel)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO work SELECT '', '', 0, 0, 0, 0, 0,
    CAST(SUM(CAST(earned AS INTEGER) + CAST(forgiven AS INTEGER)) AS TEXT),
    CAST(SUM(CAST(forgiven AS INTEGER)) AS TEXT) FROM channels HAVING COUNT(*) > 0;
  INSERT INTO payments SELECT '', address, ceiling, '0' FROM channels WHERE ceiling <> '0';
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
    const found = versionOf(db)
    if (found > EARNINGS_VERSION) throw tooNew(file, found)
    for (const step of STEPS.slice(found)) db.exec(step)
    db.exec(`PRAGMA user_version = ${EARNINGS_VERSION}`)
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

/**
 * Whether a file that is only read has this program's tables.
 * @throws EarningsError ERR_EARNINGS_VERSION when it has not
 */
export function requireVersion(db: DatabaseSync, file: string): void {
  const found = versionOf(db)
  if (found > EARNINGS_VERSION) throw tooNew(file, found)
  if (found === EARNINGS_VERSION) return
  throw new EarningsError(
    'ERR_EARNINGS_VERSION',
    `${file} has version ${found}, this program reads ${EARNINGS_VERSION}: start its worker once, which brings it up`,
  )
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version)
}

function tooNew(file: string, found: number): EarningsError {
  return new EarningsError(
    'ERR_EARNINGS_VERSION',
    `${file} has version ${found}, this program knows up to ${EARNINGS_VERSION}: use a newer worker`,
  )
}
