import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'

/**
 * Notes what was paid out on chain, unless that proves that this ledger is not the newest: nobody but a later state of
 * this gateway can have had more settled than this one has charged. Then the channel is frozen, for both sides' sake:
 * what the lost part of the ledger charged is not known here, and would be sold a second time.
 *
 * @throws TreasuryError `ERR_ROLLED_BACK`
 */
export async function requireNotRolledBack(ledger: Ledger, channel: string, settled: bigint): Promise<void> {
  // Read after the chain was: charges of meanwhile only make the ledger's sum larger.
  const record = await ledger.channelState(channel)
  if (!record) return
  const owed = mostThatMayBeSettled(record)
  if (settled <= owed) {
    if (settled > record.settled) await ledger.updateSettled(channel, settled)
    return
  }
  const reason = `${settled} nanotons are settled on chain, but this ledger knows of ${owed}: it is older than the chain. Restore the newest copy, or have the channel closed`
  if (record.frozen === null) await ledger.freeze(channel, reason)
  throw new TreasuryError('ERR_ROLLED_BACK', `channel ${channel} is frozen: ${reason}`)
}

/** A worker settles what its vouchers say, a client's channel is settled up to what was charged. */
function mostThatMayBeSettled({ role, charged, ceiling }: ChannelRecord): bigint {
  return role === 'worker' ? ceiling : charged
}
