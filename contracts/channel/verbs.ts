/** What the clients of both kinds of channel check before they send, and how they see what came of it. */

import type { Address, MessageRelaxed } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { checkVoucherKey } from '../voucher/keys.ts'
import { type ReleaseTerms, verifyRelease } from '../voucher/voucher.ts'
import { looks, type WaitOptions } from '../wallet/wait.ts'
import type { MessageSender } from '../wallet/wallet.ts'
import { MAX_CHALLENGE_SECONDS } from './check.ts'
import type { ChannelParams, ChannelState } from './params.ts'

const refuse = (message: string): never => {
  throw new ContractsError('ERR_CHANNEL_REFUSED', message)
}

/**
 * Parameters that a payer can bind its money to at `now` (Unix seconds).
 * @throws ContractsError ERR_CHANNEL_OPEN_EXPIRED, ERR_CHANNEL_REFUSED, ERR_KEY_UNSAFE
 */
export function requireSafeToOpen(params: ChannelParams, now: number): void {
  if (now > params.openUntil) {
    throw new ContractsError(
      'ERR_CHANNEL_OPEN_EXPIRED',
      'openUntil has passed; open a channel with a new salt',
    )
  }
  if (params.openUntil > now + MAX_CHALLENGE_SECONDS) {
    refuse('openUntil: at most 30 days ahead, as no close finishes before it')
  }
  if (params.challengeSeconds > MAX_CHALLENGE_SECONDS) {
    refuse(`challengeSeconds: at most ${MAX_CHALLENGE_SECONDS}`)
  }
  checkVoucherKey(params.voucherKey)
  checkVoucherKey(params.payeeKey)
}

/** @throws ContractsError ERR_CHANNEL_WRONG_WALLET */
export function requireSender(wallet: MessageSender, address: Address, role: string): void {
  if (wallet.address.equals(address)) return
  throw new ContractsError('ERR_CHANNEL_WRONG_WALLET', `wallet: only the ${role} of the channel may do this`)
}

/** Throws where the contract would refuse the cooperative close: ERR_CHANNEL_* by the name of its exit. */
export function requireRelease(
  payeeKey: Uint8Array,
  terms: ReleaseTerms,
  release: Uint8Array,
  { deposited, settled }: ChannelState,
): void {
  const { amount } = terms
  if (amount < settled) {
    throw new ContractsError('ERR_CHANNEL_NOT_ABOVE_SETTLED', `amount: ${settled} is settled already`)
  }
  if (amount > deposited) throw new ContractsError('ERR_CHANNEL_ABOVE_DEPOSIT', 'amount: above the deposit')
  if (verifyRelease(payeeKey, terms, release)) return
  throw new ContractsError('ERR_CHANNEL_BAD_SIGNATURE', 'release: the signature is not of the payee key')
}

/** @throws ContractsError ERR_CHANNEL_TOO_EARLY before `closeAt` (Unix seconds) */
export function requireOver(closeAt: number, now: number): void {
  if (now >= closeAt) return
  throw new ContractsError('ERR_CHANNEL_TOO_EARLY', `the challenge period has ${closeAt - now} s to go`)
}

/** For deposits into a channel that takes none any more. */
export function closing(): ContractsError {
  return new ContractsError('ERR_CHANNEL_CLOSING', 'the channel is closing and takes no more deposits')
}

/** Sending to a chain, and waiting for what comes of it. */
export interface Doing<S> {
  chain: Chain
  wait: WaitOptions
  /** Looks at what the message is to change. */
  look: () => Promise<S>
  /** What it is, where it is no channel. */
  subject?: 'registry'
}

/**
 * Sends a message and believes nothing until a look shows its effect.
 * @returns what `look` saw when `done` was true of it
 * @throws ContractsError ERR_CHANNEL_UNCONFIRMED, ERR_REGISTRY_UNCONFIRMED
 */
export async function effect<S>(
  { chain, wait, look, subject }: Doing<S>,
  wallet: MessageSender,
  message: MessageRelaxed,
  done: (seen: S) => boolean,
): Promise<S> {
  await wallet.send(chain, [message], wait)
  for await (const _ of looks(chain, wait, wallet.looks)) {
    const seen = await look()
    if (done(seen)) return seen
  }
  throw new ContractsError(
    subject === 'registry' ? 'ERR_REGISTRY_UNCONFIRMED' : 'ERR_CHANNEL_UNCONFIRMED',
    `the message was sent, but the ${subject ?? 'channel'} does not show its effect; look at the state before trying again`,
  )
}
