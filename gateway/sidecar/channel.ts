/** The sidecar's channel on the chain: opened by its own terms, topped up, closed by agreement or by the clock. */

import { randomBytes } from 'node:crypto'
import { equalBytes } from '../../attest/bytes.ts'
import { printable } from '../../attest/inspect/text.ts'
import {
  type Chain,
  ChannelClient,
  type ChannelParams,
  type ChannelState,
  generateKey,
  isTombstone,
  type MessageSender,
  rawPublicKey,
  readChannelState,
} from '../../contracts/index.ts'
import type { GatewayClient } from './client.ts'
import { SidecarError } from './errors.ts'
import type { ChannelFolder, ChannelRecord, SidecarFolder } from './folder.ts'
import { SidecarState } from './state.ts'
import { type GatewayTerms, readTerms } from './terms.ts'
import type { Upstream } from './upstream.ts'

/** The first deposit has to arrive within this time, s. */
export const OPEN_WITHIN = 3600
/** So much of it has to be left for a person who is asked to pay, s. */
export const LEAST_LEFT = 900
/** A week: what a payer may have to wait for its money at most, unless it says otherwise, s. */
export const MAX_WAIT_SECONDS = 7 * 86_400

export interface OpenOptions {
  folder: SidecarFolder
  upstream: Upstream
  chain: Chain
  /** Pays, and gets back what is left. */
  wallet: MessageSender
  /** Nanotons. */
  deposit: bigint
  /** Nanotons. */
  slice: bigint
  /** Longest challenge period that is agreed to, s. */
  maxWaitSeconds?: number
  /** Between two looks at the chain; for tests. */
  pause?: () => Promise<void>
}

/**
 * Opens a channel to a gateway and pays by it from now on. Its key and parameters are on disk before anything is sent, so
 * that this goes on after a crash where it stopped, with one deposit.
 *
 * @throws SidecarError ERR_TERMS_DIFFER, ERR_GATEWAY, ERR_SIDECAR_INPUT; ContractsError
 */
export async function openChannel(options: OpenOptions): Promise<ChannelFolder> {
  const { folder, upstream, chain, slice } = options
  const terms = await readTerms(upstream, chain.globalId)
  demandSensible(terms, options)
  const planned = (await unfunded(options, terms)) ?? (await plan(options, terms))
  const channel = await planned.allowSlice(slice)
  await noteDeposit(channel, await depositOnce(channel, options))
  await folder.makeCurrent(channel)
  return channel
}

export function demandSensible(
  terms: GatewayTerms,
  { deposit, slice, maxWaitSeconds = MAX_WAIT_SECONDS }: OpenOptions,
): void {
  const { minDeposit, challengeSeconds } = terms
  if (deposit < minDeposit)
    throw new SidecarError(
      'ERR_SIDECAR_INPUT',
      `deposit: the gateway takes channels of ${minDeposit} nanotons or more`,
    )
  if (slice <= 0n || slice > deposit)
    throw new SidecarError('ERR_SIDECAR_INPUT', 'slice: more than 0, and no more than the deposit')
  if (challengeSeconds <= maxWaitSeconds) return
  throw new SidecarError(
    'ERR_TERMS_DIFFER',
    `the gateway wants ${challengeSeconds} s to object to a close, and ${maxWaitSeconds} s is the longest wait that is agreed to`,
  )
}

/** A channel that an interrupted run planned: one that was paid for since, or that may still be opened. */
async function unfunded(options: OpenOptions, terms: GatewayTerms): Promise<ChannelFolder | undefined> {
  const { chain } = options
  const soon = (await chain.now()) + LEAST_LEFT
  for (const channel of await plannedBefore(options, terms)) {
    const { params } = channel.record
    if (soon < params.openUntil || (await isPaid(params, chain))) return channel
  }
  return undefined
}

/** Channels of this payer to this payee that interrupted runs planned. @param signer as channels' records have it */
export async function plannedBefore(
  { folder, chain, wallet }: Pick<OpenOptions, 'folder' | 'chain' | 'wallet'>,
  { payee, payeeKey }: GatewayTerms,
  signer?: ChannelRecord['signer'],
): Promise<ChannelFolder[]> {
  return (await folder.channels()).filter(
    ({ record, wasOpened }) =>
      !wasOpened &&
      record.globalId === chain.globalId &&
      record.signer === signer &&
      record.params.payer.equals(wallet.address) &&
      record.params.payee.equals(payee) &&
      equalBytes(record.params.payeeKey, payeeKey),
  )
}

/**
 * Has the first deposit paid, unless it is there: what was paid while nobody waited counts, be it another amount than is
 * asked for now.
 *
 * @returns nanotons in all
 */
export async function depositOnce(
  { record: { params } }: ChannelFolder,
  { chain, wallet, deposit, pause }: Pick<OpenOptions, 'chain' | 'wallet' | 'deposit' | 'pause'>,
): Promise<bigint> {
  const client = new ChannelClient({ chain, params, ...(pause && { pause }) })
  const paid = await client.state()
  const { deposited } = isFunded(paid) ? paid : await client.open(wallet, deposit)
  return deposited
}

/** Whether a deposit is there that nobody waited for. */
export async function isPaid(params: ChannelParams, chain: Chain): Promise<boolean> {
  return isFunded(await readChannelState(params, chain))
}

function isFunded(state: ChannelState | undefined): state is ChannelState {
  return state !== undefined && state.deposited > 0n && state.closeAt === 0
}

async function plan(
  { folder, upstream, chain, wallet, slice }: OpenOptions,
  terms: GatewayTerms,
): Promise<ChannelFolder> {
  const key = generateKey()
  const { payee, payeeKey, challengeSeconds } = terms
  const params: ChannelParams = {
    ...{ payer: wallet.address, payee, payeeKey, challengeSeconds },
    voucherKey: rawPublicKey(key),
    openUntil: (await chain.now()) + OPEN_WITHIN,
    salt: randomBytes(32),
  }
  const record = { gateway: upstream.origin.origin, globalId: chain.globalId, params, slice }
  return await folder.add(record, key)
}

/** Raises the deposit of a channel by `amount` nanotons. @returns the channel as it was read back */
export async function topUpChannel(
  channel: ChannelFolder,
  { chain, wallet, pause }: Pick<OpenOptions, 'chain' | 'wallet' | 'pause'>,
  amount: bigint,
): Promise<ChannelState> {
  const client = new ChannelClient({ chain, params: channel.record.params, ...(pause && { pause }) })
  const state = await client.topUp(wallet, amount)
  await (channel.record.signer === 'gateway' ? bookDeposit : noteDeposit)(channel, state.deposited)
  return state
}

/** So that vouchers within it are signed from the first request on, and the books have it. */
async function noteDeposit(channel: ChannelFolder, deposited: bigint): Promise<void> {
  await bookDeposit(channel, deposited)
  const state = new SidecarState(channel.stateFile, channel.address)
  state.setDeposited(deposited)
  state.close()
}

/** Books what was deposited and is not in the books, whoever paid it. @param deposited in all */
export async function bookDeposit(channel: ChannelFolder, deposited: bigint): Promise<void> {
  const noted = (await channel.movements()).reduce((sum, { kind, amount }) => {
    return kind === 'deposit' ? sum + amount : sum
  }, 0n)
  if (deposited > noted) await channel.noteMovement({ kind: 'deposit', amount: deposited - noted })
}

/** For the books: how a channel ended. Amounts are nanotons. */
async function noteEnd(channel: ChannelFolder, deposited: bigint, taken: bigint): Promise<void> {
  await bookDeposit(channel, deposited)
  await channel.noteMovement({ kind: 'payee', amount: taken })
  await channel.noteMovement({ kind: 'returned', amount: deposited - taken })
}

/** Ends a channel whose challenge period is over. What the gateway did not settle returns to the payer. */
export async function finishClosing(
  channel: ChannelFolder,
  { chain, wallet, pause }: Pick<OpenOptions, 'chain' | 'wallet' | 'pause'>,
): Promise<void> {
  const { params } = channel.record
  const before = await readChannelState(params, chain)
  const client = new ChannelClient({ chain, params, ...(pause && { pause }) })
  await client.finishClose(wallet)
  if (before && !isTombstone(before)) await noteEnd(channel, before.deposited, before.settled)
}

/** What a gateway agrees to be content with. */
export interface Release {
  /** Nanotons in all. */
  amount: bigint
  signature: Uint8Array
}

/**
 * Asks the gateway to end the channel: it takes no more requests, waits for those that run, and signs what it wants in all.
 *
 * @throws SidecarError ERR_CHARGES_DIFFER when that is more than was proven, ERR_GATEWAY
 */
export async function askRelease(client: GatewayClient, state: SidecarState): Promise<Release> {
  return releaseOf(await client.post(`/v1/channels/${state.address}/close`, {}))
}

/** What a gateway answers that is to agree. @throws SidecarError ERR_GATEWAY for a refusal */
export function releaseOf({ status, json }: { status: number; json: unknown }): Release {
  const { amount, release, error } = (json ?? {}) as Record<string, unknown>
  if (
    status !== 200 ||
    typeof amount !== 'string' ||
    !/^\d{1,27}$/.test(amount) ||
    typeof release !== 'string'
  ) {
    const { message = 'no reason given' } = (error ?? {}) as { message?: unknown }
    throw new SidecarError(
      'ERR_GATEWAY',
      `the gateway does not agree to close now (${status}): ${printable(String(message), 300)}`,
    )
  }
  return { amount: BigInt(amount), signature: Buffer.from(release, 'base64') }
}

/**
 * Closes by agreement, with no more than was proven to be charged; where the gateway signs, than the deposit. What is left
 * returns to the payer at once.
 *
 * @throws SidecarError ERR_CHARGES_DIFFER, ContractsError
 */
export async function closeByAgreement(
  channel: ChannelFolder,
  { chain, wallet, pause }: Pick<OpenOptions, 'chain' | 'wallet' | 'pause'>,
  { release, verified }: { release: Release; verified: bigint },
): Promise<void> {
  if (release.amount > verified) {
    const instead =
      channel.record.signer === 'gateway'
        ? `the deposit is ${verified}; close without it: chrysalis channel close --channel ${channel.name} --start-close`
        : `receipts prove ${verified}; close without it: chrysalis sidecar close --start`
    throw new SidecarError(
      'ERR_CHARGES_DIFFER',
      `the gateway wants ${release.amount} nanotons, and ${instead}`,
    )
  }
  const { params } = channel.record
  const before = await readChannelState(params, chain)
  const client = new ChannelClient({ chain, params, ...(pause && { pause }) })
  await client.coopClose(wallet, release.amount, release.signature)
  if (before && !isTombstone(before)) await noteEnd(channel, before.deposited, release.amount)
}
