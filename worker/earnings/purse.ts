import { ContractsError } from '../../contracts/errors.ts'
import { waitForLock } from '../../contracts/lock.ts'

/** A wallet's message waits a minute for its block, and is then looked at for as long again. */
const WAIT_MS = 150_000

/**
 * Does `work` while no other process uses the wallet whose key lies in `folder`: two messages with one sequence number
 * would be taken for one another.
 * @throws ContractsError ERR_WALLET_BUSY when another process does not let go of it
 */
export async function withPurse<T>(folder: string, work: () => Promise<T>, waitMs = WAIT_MS): Promise<T> {
  const release = await waitForLock(folder, waitMs)
  if (!release) {
    throw new ContractsError(
      'ERR_WALLET_BUSY',
      'the wallet is in use by another process; try again when it is done',
    )
  }
  try {
    return await work()
  } finally {
    release()
  }
}
