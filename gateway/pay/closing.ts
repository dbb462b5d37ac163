import type { Address } from '@ton/core'
import type { ReleaseTerms } from '../../contracts/index.ts'
import { unavailable } from '../../worker/protocol/index.ts'
import type { Ledger } from '../ledger/index.ts'
import { channelFrozen, paymentRequired } from './refusals.ts'

/** What the gateway agrees to be content with when a channel ends. */
export interface AgreedEnd {
  /** Nanotons in all. */
  amount: bigint
  /** Its signature, with which the payer closes at once. */
  release: Uint8Array
}

/**
 * Ends a channel by agreement: it takes no new requests from now on and for good; when those that run are charged,
 * the payer gets the release. May be repeated.
 *
 * @param signal gives up waiting for running requests
 * @throws ApiError 503 when requests run on, or the channel is frozen
 */
export async function agreeToClose(
  { id, address }: { id: string; address: Address },
  ledger: Pick<Ledger, 'channelNow' | 'setChannelState' | 'idle'>,
  signRelease: (terms: Omit<ReleaseTerms, 'globalId'>) => Uint8Array,
  signal: AbortSignal,
): Promise<AgreedEnd> {
  const record = () => {
    const found = ledger.channelNow(id)
    if (!found) throw paymentRequired()
    return found
  }
  if (record().frozen !== null) throw channelFrozen()
  await ledger.setChannelState(id, 'closing')
  await ledger.idle(id, signal).catch(() => {
    throw unavailable(
      'Requests of the channel are still running. Ask again when they have ended.',
      'channel_busy',
      5,
    )
  })
  const { charged: amount } = record()
  return { amount, release: signRelease({ channel: address, amount }) }
}
