import { ContractsError } from '../../errors.ts'
import { waitForLock } from '../../lock.ts'

/**
 * Takes the chain's folder for this process alone: two processes that write one state file would undo each other's
 * transactions.
 *
 * @param waitMs how long a holder may take to end
 * @returns gives the folder back
 * @throws ContractsError ERR_CHAIN_LOCKED
 */
export async function takeChainLock(dir: string, waitMs?: number): Promise<() => void> {
  const release = await waitForLock(dir, waitMs)
  if (release) return release
  throw new ContractsError('ERR_CHAIN_LOCKED', `the local chain in ${dir} is in use by another process`)
}
