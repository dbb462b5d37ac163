import { join } from 'node:path'
import { ConfigError } from '../attest/cli/config.ts'
import { waitForLock } from '../contracts/lock.ts'

/** A former worker on the same folder, whose supervisor was killed, gets this long to end. */
const WAIT_MS = 5_000

/**
 * Takes the folder of a worker's receipts for this process alone: a second worker there would send the receipts of the
 * first as its own, and count them against its own credit. The lock ends with the process, however that ends.
 *
 * @returns gives the folder back
 * @throws ConfigError when another worker has it
 */
export async function takeFolder(folder: string, waitMs = WAIT_MS): Promise<() => void> {
  const release = await waitForLock(folder, waitMs)
  if (release) return release
  throw new ConfigError(
    `setting data: another worker has ${folder}; name another folder, or stop that worker`,
  )
}

/** The file of receipts, vouchers and sums, in a worker's folder. */
export function earningsFile(folder: string): string {
  return join(folder, 'receipts.sqlite')
}

/** Where the key of the worker's wallet lies: whoever uses it takes its lock, see `withPurse`. */
export function purseOf(folder: string): string {
  return join(folder, 'keys')
}

/** The key of the wallet that gateways pay to, unless a payout address is set. */
export function payoutKeyFile(folder: string): string {
  return join(purseOf(folder), 'payout.key')
}

/** The key that agrees to closing a channel at once, where a payout address is set. */
export function releaseKeyFile(folder: string): string {
  return join(purseOf(folder), 'release.key')
}

/** Whom the worker belongs to: the one address that its wallet sends to. */
export function ownerFile(folder: string): string {
  return join(folder, 'owner')
}
