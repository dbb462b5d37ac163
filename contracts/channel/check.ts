/** What is read of a channel, and what is checked before anybody relies on it. */

import type { Address } from '@ton/core'
import type { AccountSnapshot, Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { checkVoucherKey } from '../voucher/keys.ts'
import { verifyVoucher } from '../voucher/voucher.ts'
import { CHANNEL_CODE_HASH } from './code.ts'
import { type ChannelParams, type ChannelState, channelAddress, parseChannelData } from './params.ts'

/** What the payee asks of a channel before it extends credit. */
export interface ChannelExpectations {
  /** The channel has to pay this address… */
  payee?: Address
  /** …and be released by this key (32 bytes). */
  payeeKey?: Uint8Array
  /** Shortest challenge period that leaves time to settle after StartClose, in seconds. Default one hour. */
  minChallengeSeconds?: number
}

/** A channel that passed {@link checkChannel}. Amounts are nanotons. */
export interface CheckedChannel extends ChannelState {
  address: Address
  /** deposited - settled: the most that vouchers can still bring. */
  credit: bigint
}

/** One hour: enough to settle after an outage. */
export const MIN_CHALLENGE_SECONDS = 3600
/** Thirty days. */
export const MAX_CHALLENGE_SECONDS = 2_592_000

/**
 * Reads a channel. The address is recomputed from code and parameters, never taken from anyone, so that what is read
 * is this contract or nothing.
 * @returns undefined when there is no such contract (not opened yet, or destroyed)
 * @throws ContractsError ERR_CONTRACT_CODE, ERR_CHANNEL_RENT
 */
export async function readChannel(params: ChannelParams, chain: Chain): Promise<ChannelState | undefined> {
  const found = await lookUp(params, chain)
  if (!found) return undefined
  const { state, balance } = found
  if (balance < state.deposited - state.settled)
    throw new ContractsError('ERR_CHANNEL_RENT', 'unpaid rent has eaten into the deposit; top it up')
  return state
}

/**
 * As {@link readChannel}, for a payee that settles: it can do so when rent has eaten into the deposit, too, and its
 * claim then bears the rent.
 */
export async function readChannelState(
  params: ChannelParams,
  chain: Chain,
): Promise<ChannelState | undefined> {
  return (await lookUp(params, chain))?.state
}

/** The state as it is, and all nanotons at the channel's address. @throws ContractsError ERR_CONTRACT_CODE */
export async function lookUp(
  params: ChannelParams,
  chain: Chain,
): Promise<{ state: ChannelState; balance: bigint } | undefined> {
  const account = await chain.account(channelAddress(params))
  if (account.state !== 'active' || !account.data) return undefined
  requireCode(account, CHANNEL_CODE_HASH)
  const { deposited, settled, closeAt } = parseChannelData(account.data)
  return { state: { deposited, settled, closeAt }, balance: account.balance }
}

/** @throws ContractsError ERR_CONTRACT_CODE when the account has other code than `hash` (hexadecimal) */
export function requireCode(account: AccountSnapshot, hash: string): void {
  if (account.code?.hash().toString('hex') === hash) return
  throw new ContractsError('ERR_CONTRACT_CODE', 'the contract at the channel address has other code')
}

/** What a payee claims: `amount` nanotons in all, under a voucher for `ceiling`. */
export interface Claim {
  amount: bigint
  ceiling: bigint
  /** 64 bytes. */
  signature: Uint8Array
}

/**
 * Refuses, before anything is sent, a claim that the contract would refuse.
 * @param payee address of the wallet that is to send it
 * @param address of the channel, where it is not a channel of tons
 * @throws ContractsError ERR_CHANNEL_ABSENT, ERR_CHANNEL_WRONG_WALLET, ERR_CHANNEL_NOT_ABOVE_SETTLED,
 * ERR_CHANNEL_ABOVE_CEILING, ERR_CHANNEL_ABOVE_DEPOSIT, ERR_CHANNEL_BAD_SIGNATURE
 */
export function requireClaim(
  params: ChannelParams,
  state: ChannelState | undefined,
  globalId: number,
  payee: Address,
  { amount, ceiling, signature }: Claim,
  address = channelAddress(params),
): void {
  const refuse = (name: string, message: string): never => {
    throw new ContractsError(`ERR_CHANNEL_${name}`, message)
  }
  if (!state) throw absent()
  if (!params.payee.equals(payee)) refuse('WRONG_WALLET', 'wallet: only the payee of the channel may do this')
  if (amount <= state.settled) refuse('NOT_ABOVE_SETTLED', `amount: ${state.settled} is settled already`)
  if (amount > ceiling) refuse('ABOVE_CEILING', 'amount: above the voucher')
  if (amount > state.deposited) refuse('ABOVE_DEPOSIT', 'amount: above the deposit')
  if (verifyVoucher(params.voucherKey, { globalId, channel: address, ceiling }, signature)) return
  refuse('BAD_SIGNATURE', 'voucher: the signature is not of the voucher key')
}

/**
 * Parameters that a payee can accept: its own address and key, a challenge period long enough, keys without traps.
 * @throws ContractsError ERR_CHANNEL_REFUSED, ERR_KEY_UNSAFE
 */
export function requireAcceptable(params: ChannelParams, expected: ChannelExpectations): void {
  const refuse = (message: string): never => {
    throw new ContractsError('ERR_CHANNEL_REFUSED', message)
  }
  if (expected.payee && !params.payee.equals(expected.payee))
    refuse('payee: the channel pays another address')
  if (expected.payeeKey && !Buffer.from(params.payeeKey).equals(expected.payeeKey)) {
    refuse('payeeKey: the channel names another key')
  }
  const shortest = expected.minChallengeSeconds ?? MIN_CHALLENGE_SECONDS
  if (params.challengeSeconds < shortest || params.challengeSeconds > MAX_CHALLENGE_SECONDS) {
    refuse(`challengeSeconds: from ${shortest} to ${MAX_CHALLENGE_SECONDS}`)
  }
  checkVoucherKey(params.voucherKey)
  checkVoucherKey(params.payeeKey)
}

/**
 * Checks a channel as a payee must before it gives credit against it: keys without traps, the right payee, a challenge
 * period long enough, the contract there with the committed code, backed, and not closing.
 * @throws ContractsError ERR_CHANNEL_REFUSED, ERR_CHANNEL_ABSENT, ERR_CHANNEL_CLOSING, ERR_KEY_UNSAFE,
 * ERR_CONTRACT_CODE, ERR_CHANNEL_RENT
 */
export async function checkChannel(
  params: ChannelParams,
  chain: Chain,
  expected: ChannelExpectations = {},
): Promise<CheckedChannel> {
  requireAcceptable(params, expected)
  const state = await readChannel(params, chain)
  if (!state) throw absent()
  if (state.closeAt !== 0) {
    throw new ContractsError('ERR_CHANNEL_CLOSING', 'the channel is closing: settle, and give no more credit')
  }
  return { ...state, address: channelAddress(params), credit: state.deposited - state.settled }
}

/** There is no contract with these parameters. */
export function absent(): ContractsError {
  return new ContractsError('ERR_CHANNEL_ABSENT', 'there is no channel with these parameters')
}
