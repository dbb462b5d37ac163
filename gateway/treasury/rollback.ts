import { Address } from '@ton/core'
import { publicKeyObject, verifyVoucher } from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'
import { paramsOf } from './terms.ts'

/**
 * Notes what was paid out on chain, unless that proves that this ledger is not the only one, or not the newest: nobody
 * but this gateway, or one with its keys, can settle a client's channel, and what it settles is a sum that its charges
 * came to. Then the channel is frozen, for both sides' sake: what the other ledger charged is not known here, and would
 * be sold a second time.
 *
 * @param options.ours this process has just settled exactly so much, or the payer has agreed to it
 * @throws TreasuryError `ERR_ROLLED_BACK`
 */
export async function requireNotRolledBack(
  ledger: Ledger,
  channel: string,
  settled: bigint,
  { ours }: { ours: boolean },
): Promise<void> {
  // Read after the chain was: charges of meanwhile only make the ledger's sum larger.
  const record = await ledger.channelState(channel)
  if (!record) return
  const owed = mostThatMayBeSettled(record)
  if (settled > owed) {
    throw await frozen(
      ledger,
      record,
      `${settled} nanotons are settled on chain, but this ledger knows of ${owed}: it is older than the chain. Restore the newest copy, or have the channel closed`,
    )
  }
  if (settled <= record.settled) return
  // A worker settles its vouchers as it likes.
  if (ours || record.role === 'worker' || (await ledger.cameTo(channel, settled))) {
    await ledger.updateSettled(channel, settled)
    return
  }
  const error = await frozen(
    ledger,
    record,
    `${settled} nanotons are settled on chain, a sum that this ledger never came to: another gateway has the same keys, or had them. Stop it, and restore the newest copy, or have the channel closed`,
  )
  // Only now: a sum that is booked is not judged again.
  await ledger.updateSettled(channel, settled)
  throw error
}

/** Freezes a channel, unless it is. @returns what to throw */
async function frozen(ledger: Ledger, { id, frozen }: ChannelRecord, reason: string): Promise<TreasuryError> {
  if (frozen === null) await ledger.freeze(id, reason)
  return new TreasuryError('ERR_ROLLED_BACK', `channel ${id} is frozen: ${reason}`)
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
