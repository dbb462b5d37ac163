/** What is read of a jetton channel and of jetton wallets, and what is checked before anybody relies on them. */

import type { Address } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { absent, type ChannelExpectations, requireAcceptable, requireCode } from '../channel/check.ts'
import { ContractsError } from '../errors.ts'
import { JETTON_CHANNEL_CODE_HASH } from './code.ts'
import { requireSameWallet } from './jetton-channel.ts'
import {
  type JettonChannelParams,
  type JettonChannelState,
  jettonChannelAddress,
  jettonWalletAddress,
  parseJettonChannelData,
} from './params.ts'

/** What the payee asks of a jetton channel before it extends credit. */
export interface JettonChannelExpectations extends ChannelExpectations {
  /** The jetton has to be this one. Anybody can make a jetton and name it as he likes. */
  master: Address
}

/** A channel that passed {@link checkJettonChannel}. Amounts are the jetton's smallest units. */
export interface CheckedJettonChannel extends JettonChannelState {
  address: Address
  /** deposited - settled: the most that vouchers can still bring. */
  credit: bigint
}

/** A wallet of a governed jetton as its data cell shows it. */
export interface JettonHolding {
  /** The jetton's smallest units; 0 where there is no wallet. */
  balance: bigint
  /** The issuer has locked it: nothing leaves, nothing comes in. */
  locked: { out: boolean; in: boolean }
}

/** Reads `owner`'s jetton wallet. @throws ContractsError ERR_CONTRACT_CODE, ERR_JETTON_WALLET */
export async function readJettonWallet(
  owner: Address,
  jetton: Pick<JettonChannelParams, 'master' | 'walletCode'>,
  chain: Chain,
): Promise<JettonHolding> {
  const account = await chain.account(jettonWalletAddress(owner, jetton))
  if (account.state !== 'active' || !account.data) return { balance: 0n, locked: { out: false, in: false } }
  requireCode(account, jetton.walletCode.hash().toString('hex'))
  try {
    const data = account.data.beginParse()
    const status = data.loadUint(4)
    return { balance: data.loadCoins(), locked: { out: (status & 1) !== 0, in: (status & 2) !== 0 } }
  } catch (cause) {
    throw new ContractsError('ERR_JETTON_WALLET', 'jetton wallet: not the state of a governed one', { cause })
  }
}

/**
 * Reads a jetton channel. The address is recomputed from code and parameters, never taken from anyone.
 * @returns undefined when there is no such contract (not opened yet, or removed)
 * @throws ContractsError ERR_CONTRACT_CODE
 */
export async function readJettonChannel(
  params: JettonChannelParams,
  chain: Chain,
): Promise<JettonChannelState | undefined> {
  const account = await chain.account(jettonChannelAddress(params))
  if (account.state !== 'active' || !account.data) return undefined
  requireCode(account, JETTON_CHANNEL_CODE_HASH)
  const { params: _, jettonWallet: __, ...state } = parseJettonChannelData(account.data)
  return state
}

/**
 * Checks a jetton channel as a payee must before it gives credit against it: all that `checkChannel` asks, the right
 * jetton, the channel's wallet where the contract looks for it, not locked, and holding what the channel owes.
 * @throws ContractsError ERR_CHANNEL_REFUSED, ERR_CHANNEL_ABSENT, ERR_CHANNEL_CLOSING, ERR_KEY_UNSAFE,
 * ERR_CONTRACT_CODE, ERR_JETTON_WALLET, ERR_JETTON_LOCKED, ERR_CHANNEL_UNBACKED, ERR_CHAIN_GET_METHOD
 */
export async function checkJettonChannel(
  params: JettonChannelParams,
  chain: Chain,
  expected: JettonChannelExpectations,
): Promise<CheckedJettonChannel> {
  requireAcceptable(params, expected)
  if (!params.master.equals(expected.master)) {
    throw new ContractsError('ERR_CHANNEL_REFUSED', 'master: the channel holds another jetton')
  }
  const state = await readJettonChannel(params, chain)
  if (!state) throw absent()
  if (state.closeAt !== 0) {
    throw new ContractsError('ERR_CHANNEL_CLOSING', 'the channel is closing: settle, and give no more credit')
  }
  await requireSameWallet(params, chain)
  const address = jettonChannelAddress(params)
  const holding = await readJettonWallet(address, params, chain)
  requireUnlocked(holding.locked.out, "the channel's jetton wallet")
  if (holding.balance < owed(state)) {
    throw new ContractsError('ERR_CHANNEL_UNBACKED', "the channel's jetton wallet holds less than it owes")
  }
  return { ...state, address, credit: state.deposited - state.settled }
}

/** @throws ContractsError ERR_JETTON_LOCKED */
export function requireUnlocked(locked: boolean, whose: string): void {
  if (!locked) return
  throw new ContractsError(
    'ERR_JETTON_LOCKED',
    `the issuer has locked ${whose}: no transfer would get through`,
  )
}

/** All that the channel's jetton wallet has to hold. */
function owed({ deposited, settled, unpaidPayee, unpaidPayer }: JettonChannelState): bigint {
  return deposited - settled + unpaidPayee + unpaidPayer
}
