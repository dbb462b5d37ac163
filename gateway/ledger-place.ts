import { join } from 'node:path'
import { ConfigError } from '../attest/cli/config.ts'
import { readSecret } from './data/index.ts'
import type { LedgerPlace } from './ledger/index.ts'

/**
 * Where a gateway keeps its ledger. The connection string is a secret: it may hold a password, so no message repeats it.
 *
 * @param options.data the gateway's own folder
 * @param options.ledgerPostgresFile file (0600) with the connection string of a PostgreSQL database
 * @throws ConfigError
 */
export async function ledgerPlace({
  data,
  ledgerPostgresFile,
}: {
  data: string
  ledgerPostgresFile?: string | undefined
}): Promise<LedgerPlace> {
  if (ledgerPostgresFile === undefined) return { file: join(data, 'ledger.sqlite') }
  const text = Buffer.from((await readSecret(ledgerPostgresFile)) ?? [])
    .toString()
    .trim()
  if (/^postgres(ql)?:\/\/\S+$/.test(text)) return { postgres: text }
  throw new ConfigError(
    `ledgerPostgresFile: ${ledgerPostgresFile} holds no connection string: postgresql://USER@HOST/DATABASE is needed`,
  )
}
