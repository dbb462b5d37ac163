/** A payer's channel whose vouchers the gateway signs: what it takes for a bare API key. */

import { randomBytes } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { z } from 'zod'
import { equalBytes } from '../../attest/bytes.ts'
import { printable } from '../../attest/inspect/text.ts'
import { amountSchema, hexOf } from '../../attest/schema.ts'
import {
  type Chain,
  type ChannelParams,
  channelParamsToJson,
  least,
  readChannelState,
} from '../../contracts/index.ts'
import { newKeySecret } from '../ledger/keys.ts'
import { saltOf } from '../pay/commitment.ts'
import {
  bookDeposit,
  demandSensible,
  depositOnce,
  isPaid,
  LEAST_LEFT,
  OPEN_WITHIN,
  type OpenOptions,
  plannedBefore,
  type Release,
  releaseOf,
  topUpChannel,
} from './channel.ts'
import { askFreely } from './client.ts'
import { SidecarError } from './errors.ts'
import type { ChannelFolder } from './folder.ts'
import { type GatewayTerms, readTerms } from './terms.ts'
import type { Upstream } from './upstream.ts'

const TERMS = '/v1/payment/delegated'
/** The gateway's own look at the chain may be some blocks behind ours. */
const ATTEMPTS = 20
const PAUSE_MS = 3_000

const termsSchema = z.object({ voucher_key: hexOf(32), kept: z.enum(['file', 'memory']), cap: amountSchema })
const standingSchema = z.object({ deposited: amountSchema, cap: amountSchema })

/** What a gateway asks of those who want an API key of their own deposit; amounts are nanotons. */
export interface DelegatedGatewayTerms extends GatewayTerms {
  voucherKey: Uint8Array
  /** Where the gateway says that it keeps the other half. */
  kept: 'file' | 'memory'
  /** Most of a deposit that it credits. */
  cap: bigint
}

/** @throws SidecarError ERR_GATEWAY, also where the operator has switched it off; ERR_TERMS_DIFFER */
export async function readDelegatedTerms(
  upstream: Upstream,
  globalId: number,
): Promise<DelegatedGatewayTerms> {
  const terms = await readTerms(upstream, globalId)
  const json = answerOf(await askFreely(upstream, TERMS), 'for an API key on a deposit of yours')
  const { voucher_key, kept, cap } = read(termsSchema, json)
  return { ...terms, voucherKey: Buffer.from(voucher_key, 'hex'), kept, cap: BigInt(cap) }
}

export type OpenDelegatedOptions = Omit<OpenOptions, 'slice'> & {
  terms: DelegatedGatewayTerms
  /** Between two tries to be known to the gateway; for tests. */
  retry?: () => Promise<void>
}

/**
 * Opens a channel for an API key. Its secrets and parameters are on disk before anything is sent, so that this goes on after
 * a crash where it stopped, with one deposit and one key.
 *
 * @returns the channel; its API key draws on it
 * @throws SidecarError ERR_TERMS_DIFFER, ERR_GATEWAY, ERR_SIDECAR_INPUT; ContractsError
 */
export async function openDelegated(options: OpenDelegatedOptions): Promise<ChannelFolder> {
  const { upstream, deposit, terms } = options
  demandSensible(terms, { ...options, slice: deposit })
  if (deposit > terms.cap)
    throw new SidecarError('ERR_SIDECAR_INPUT', `deposit: the gateway credits ${terms.cap} nanotons at most`)
  const channel = (await unclaimed(options)) ?? (await plan(options))
  const deposited = await depositOnce(channel, options)
  await bookDeposit(channel, deposited)
  await claimDeposit(upstream, channel, deposited, options.retry)
  await channel.markOpened()
  return channel
}

/**
 * Raises the deposit of a channel for an API key, after the gateway has said that it would credit that.
 *
 * @param amount nanotons
 * @throws SidecarError ERR_SIDECAR_INPUT beyond the gateway's cap, ERR_GATEWAY where the channel takes nothing more; ContractsError
 */
export async function topUpDelegated(
  channel: ChannelFolder,
  {
    upstream,
    chain,
    retry,
    ...payer
  }: Pick<OpenDelegatedOptions, 'upstream' | 'chain' | 'wallet' | 'pause' | 'retry'>,
  amount: bigint,
): Promise<void> {
  const answer = await askFreely(upstream, `${TERMS}/open`, await claimOf(channel))
  const { cap } = read(standingSchema, answerOf(answer, `to credit more on channel ${channel.name}`))
  if ((await depositOf(channel, chain)) + amount > BigInt(cap))
    throw new SidecarError('ERR_SIDECAR_INPUT', `amount: the gateway credits ${cap} nanotons at most in all`)
  const { deposited } = await topUpChannel(channel, { chain, ...payer }, amount)
  await claimDeposit(upstream, channel, deposited, retry)
}

/**
 * Tells the gateway of a channel until it credits what was deposited: its own look at the chain decides, and makes the API key.
 *
 * @param deposited nanotons in all; what is above the gateway's cap is not waited for
 * @throws SidecarError ERR_GATEWAY when it refuses, or still has not seen the deposit
 */
async function claimDeposit(
  upstream: Upstream,
  channel: ChannelFolder,
  deposited: bigint,
  retry: () => Promise<void> = () => after(PAUSE_MS),
): Promise<void> {
  const claim = await claimOf(channel)
  for (let left = ATTEMPTS; ; left--) {
    const answer = await askFreely(upstream, `${TERMS}/open`, claim)
    if (answer.status === 200 && isCredited(answer.json, deposited)) return
    if (left === 0 || !mayChange(answer)) {
      answerOf(answer, `for the API key of channel ${channel.name}`)
      throw new SidecarError('ERR_GATEWAY', 'the gateway has not seen the whole deposit yet; run this again')
    }
    await retry()
  }
}

/** Asks the gateway to end the channel. @throws SidecarError ERR_GATEWAY */
export async function askOwnRelease(upstream: Upstream, channel: ChannelFolder): Promise<Release> {
  return releaseOf(await askFreely(upstream, `${TERMS}/close`, await claimOf(channel)))
}

function isCredited(json: unknown, paid: bigint): boolean {
  const { deposited, cap } = read(standingSchema, json)
  return BigInt(deposited) >= least(paid, BigInt(cap))
}

/** What is true of the chain at another moment, or of the gateway's load. */
function mayChange({ status, json }: { status: number; json: unknown }): boolean {
  const { error } = (json ?? {}) as { error?: { code?: unknown } }
  return (
    status === 200 ||
    status === 503 ||
    status === 429 ||
    (status === 402 && error?.code === 'payment_required')
  )
}

async function claimOf(channel: ChannelFolder) {
  const { owner, apiKey } = await channel.secrets()
  return {
    params: channelParamsToJson(channel.record.params),
    owner: Buffer.from(owner).toString('hex'),
    api_key: apiKey,
  }
}

/**
 * A channel that an interrupted run planned: one that was paid for since, or that may still be opened. Its secrets go to the
 * gateway that it was planned for and to no other, which could use them there; whom a gateway is paid to is public.
 *
 * @throws SidecarError ERR_TERMS_DIFFER for one that was paid for and cannot be gone on with here
 */
async function unclaimed(options: OpenDelegatedOptions): Promise<ChannelFolder | undefined> {
  const { upstream, chain, terms } = options
  const soon = (await chain.now()) + LEAST_LEFT
  for (const channel of await plannedBefore(options, terms, 'gateway')) {
    const { params, gateway } = channel.record
    const isSame = gateway === upstream.origin.origin && equalBytes(params.voucherKey, terms.voucherKey)
    if (isSame && soon < params.openUntil) return channel
    if (!(await isPaid(params, chain))) continue
    if (isSame) return channel
    throw stranded(channel, upstream)
  }
  return undefined
}

/** A channel that was paid for, at another address of its gateway or with another key of it. */
function stranded({ name, record: { gateway } }: ChannelFolder, upstream: Upstream): SidecarError {
  const close = `chrysalis channel close --channel ${name} --start-close`
  return new SidecarError(
    'ERR_TERMS_DIFFER',
    gateway === upstream.origin.origin
      ? `channel ${name} was paid for, and the gateway was started since with another key, so that no API key can draw ` +
          `on it. The whole deposit returns: ${close}`
      : `channel ${name} was paid for at ${gateway}. Get its API key there, with --gateway ${gateway}; or the deposit back: ${close}`,
  )
}

async function plan({
  folder,
  upstream,
  chain,
  wallet,
  terms,
}: OpenDelegatedOptions): Promise<ChannelFolder> {
  const secrets = { owner: randomBytes(32), apiKey: newKeySecret() }
  const { payee, payeeKey, challengeSeconds, voucherKey } = terms
  const params: ChannelParams = {
    ...{ payer: wallet.address, payee, payeeKey, challengeSeconds, voucherKey },
    openUntil: (await chain.now()) + OPEN_WITHIN,
    salt: saltOf(secrets),
  }
  const record = { gateway: upstream.origin.origin, globalId: chain.globalId, params, slice: 0n }
  return await folder.addOwned(record, secrets)
}

/** What a gateway can ask at the end without a voucher of ours: the whole deposit. Nanotons. */
export async function depositOf({ record }: ChannelFolder, chain: Chain): Promise<bigint> {
  return (await readChannelState(record.params, chain))?.deposited ?? 0n
}

function answerOf({ status, json }: { status: number; json: unknown }, asked: string): unknown {
  if (status === 200) return json
  const { message = 'no reason given' } = ((json ?? {}) as { error?: { message?: unknown } }).error ?? {}
  const text = `the gateway answers ${status}, asked ${asked}: ${printable(String(message), 400)}`
  throw new SidecarError('ERR_GATEWAY', text)
}

function read<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new SidecarError('ERR_GATEWAY', 'the gateway’s answer cannot be read', { cause: parsed.error })
}
