import { Address } from '@ton/core'
import { publicKeyObject, verifyVoucher } from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'
import { paramsOf } from './terms.ts'

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

/**
 * Holds a voucher that a worker shows against the ledger. A voucher is handed over only once it is committed, so one by
 * our own key above what the ledger knows was signed by a later state of this gateway: the channel is frozen.
 *
 * @param shown its `signature` need not be one of ours: anybody's words are taken
 * @returns why nothing can be paid by the channel; undefined when the ledger knows of so much
 */
export async function judgeShownVoucher(
  ledger: Ledger,
  globalId: number,
  channel: string,
  shown: { ceiling: bigint; signature: Uint8Array },
): Promise<string | undefined> {
  const record = await ledger.channelState(channel)
  if (!record || shown.ceiling <= record.ceiling) return undefined
  const key = publicKeyObject(paramsOf(record).voucherKey)
  const terms = { globalId, channel: Address.parseRaw(record.address), ceiling: shown.ceiling }
  if (!verifyVoucher(key, terms, shown.signature)) return 'the voucher that was shown is none of this gateway'
  const reason = `its worker has a voucher for ${shown.ceiling} nanotons, but this ledger knows of ${record.ceiling}: it is older than its own signature. Restore the newest copy, or have the channel closed`
  if (record.frozen === null) await ledger.freeze(channel, reason)
  return `channel ${channel} is frozen: ${reason}`
}

/** A worker settles what its vouchers say, a client's channel is settled up to what was charged. */
function mostThatMayBeSettled({ role, charged, ceiling }: ChannelRecord): bigint {
  return role === 'worker' ? ceiling : charged
}
