import { takeChainLock } from '../../contracts/chain/local/lock.ts'
import { ContractsError } from '../../contracts/errors.ts'

/** A wallet's message waits a minute for its block, and is then looked at for as long again. */
const WAIT_MS = 150_000

/**
 * Does `work` while no other process uses the wallet whose key lies in `folder`: two messages with one sequence number
 * would be taken for one another.
 * @throws ContractsError ERR_WALLET_BUSY when another process does not let go of it
 */
export async function withPurse<T>(folder: string, work: () => Promise<T>, waitMs = WAIT_MS): Promise<T> {
  const release = await takeChainLock(folder, waitMs).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code !== 'ERR_CHAIN_LOCKED') throw cause
    const message = 'the wallet is in use by another process; try again when it is done'
    throw new ContractsError('ERR_WALLET_BUSY', message, { cause })
  })
  try {
    return await work()
  } finally {
    release()
  }
}
