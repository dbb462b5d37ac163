import { replaceFile } from '../contracts/files.ts'
import { openSecret } from './data/index.ts'
import { type ApiKeys, newKeySecret } from './ledger/index.ts'

/** The API key whose secret is kept in a file, so that the quickstart can show it at every start. */
export interface KeptKey {
  readonly id: string
  readonly file: string
  /** Puts a new secret of the key into the file. */
  keep(secret: string): Promise<void>
}

/**
 * The key of the secret in `file`; both are made when they are missing. When its key was revoked, or rotated and the file
 * left behind, a new key with the same limits takes its place, so that what is shown works.
 *
 * @param file 0600
 * @param channel client channel that a new key draws on
 */
export async function openKeptKey(
  file: string,
  keys: Pick<ApiKeys, 'create' | 'find'>,
  channel: string,
): Promise<KeptKey> {
  const keep = (secret: string) => replaceFile(file, secret)
  const name = 'quickstart'
  const secret = Buffer.from(await openSecret(file, () => Buffer.from(newKeySecret())))
    .toString()
    .trim()
  const { key } = await keys.create({ name, channel, secret })
  if (await keys.find(secret)) return { id: key.id, file, keep }
  // The file first: a crash in between leaves a secret there that the next start makes a key of.
  const next = newKeySecret()
  await keep(next)
  const { key: made } = await keys.create({ name, channel, limits: key.limits, secret: next })
  return { id: made.id, file, keep }
}
