/** The TDX guest that this process runs in, for one quote: nothing is measured. */

import { encodeEventLog } from '../eventlog/index.ts'
import type { Tee } from '../evidence/bundle.ts'
import { readCcel } from '../guest/ccel.ts'
import { type Files, NodeFiles } from '../guest/files.ts'
import { quoteFromConfigfs } from '../guest/quote.ts'
import { sleep } from '../guest/system.ts'
import { lockGuest, RUNTIME_FOLDER } from '../guest/tdx-guest.ts'

/**
 * Opens the guest, and keeps other processes of it from asking for quotes meanwhile.
 * @throws GuestError ERR_NOT_TDX_GUEST where there is none, ERR_GUEST_LOCKED while a worker runs
 */
export async function openGuest(
  collateral: Tee['collateral'],
  files: Files = new NodeFiles(),
): Promise<AsyncDisposable & { tee: Tee }> {
  const lock = await lockGuest(files, RUNTIME_FOLDER, process.pid)
  const tee: Tee = {
    kind: 'tdx',
    quote: (reportData) => quoteFromConfigfs({ files, sleep }, reportData),
    collateral,
    // Events that programs added to RTMR3 are theirs to tell: the log here is the firmware's alone.
    eventLog: async () => encodeEventLog({ ccel: await readCcel(files), events: [] }),
  }
  return { tee, [Symbol.asyncDispose]: () => lock.release() }
}
