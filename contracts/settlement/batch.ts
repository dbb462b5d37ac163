import type { Address } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { Channel } from '../channel/channel.ts'
import { absent, type Claim, readChannelState, requireClaim } from '../channel/check.ts'
import { ATTACH } from '../channel/messages.ts'
import type { ChannelParams, ChannelState } from '../channel/params.ts'
import { ContractsError } from '../errors.ts'
import { looks, type WaitOptions } from '../wallet/wait.ts'
import type { Wallet } from '../wallet/wallet.ts'
import { MAX_BATCH } from './cost.ts'

/** `amount` nanotons in all, under the payer's voucher for `ceiling`. */
export interface SettleClaim extends Claim {
  params: ChannelParams
}

/** How one claim of a batch ended. Without `error` the chain has shown `state.settled >= amount`. */
export interface SettleOutcome {
  address: Address
  /** What was read last; absent when there is no such contract, or it could not be read. */
  state?: ChannelState
  error?: ContractsError
}

/** Accounts read at a time. */
const READS = 8
/** What a wallet has to hold for each message: the value attached, most of which returns, and its fees. */
const NEEDED_EACH = ATTACH + ATTACH / 8n

/** A claim on its way; `state` and `error` as of the last look. */
interface Item {
  claim: SettleClaim
  channel: Channel
  state?: ChannelState
  error?: ContractsError
}

/**
 * Settles many channels of one payee, up to 255 with one external message, fewer if the wallet does not hold 0.0225
 * TON for each. The chain is looked at first: a claim that is settled is not sent, one that the contract would refuse
 * has its error at once. After it nothing is believed until it was read back. Safe to send again after whatever
 * happened: a claim counts once, since `settled` only grows, and a repeated one costs 0.0008 TON.
 *
 * @param wallet the payee's, for all of the claims
 * @returns one outcome for each claim, in their order; an error of the chain itself is in the outcomes, too
 * @throws ContractsError ERR_SETTLE_DUPLICATE when two claims are on one channel: the higher one is enough
 */
export async function settleBatch(
  chain: Chain,
  wallet: Wallet,
  claims: readonly SettleClaim[],
  wait: WaitOptions = {},
): Promise<SettleOutcome[]> {
  const items = claims.map((claim): Item => ({ claim, channel: new Channel(claim.params) }))
  requireOnce(items)
  await each(items, (item) => prepare(item, chain, wallet))
  let left = items.filter(({ error, state, claim }) => !error && !shows(state, claim))
  while (left.length > 0) {
    const count = await affordable(chain, wallet, left.length)
    if (count instanceof ContractsError) {
      for (const item of left) item.error = count
      break
    }
    await sendChunk(left.slice(0, count), chain, wallet, wait)
    left = left.slice(count)
  }
  return items.map(({ channel, state, error }) => ({
    address: channel.address,
    ...(state && { state }),
    ...(error && { error }),
  }))
}

function requireOnce(items: readonly Item[]): void {
  const seen = new Set<string>()
  for (const { channel } of items) {
    const address = channel.address.toRawString()
    if (seen.has(address)) {
      throw new ContractsError(
        'ERR_SETTLE_DUPLICATE',
        `claims: two are on channel ${address}; keep the higher`,
      )
    }
    seen.add(address)
  }
}

function shows(state: ChannelState | undefined, claim: SettleClaim): boolean {
  return state !== undefined && state.settled >= claim.amount
}

async function prepare(item: Item, chain: Chain, wallet: Wallet): Promise<void> {
  await look(item, chain)
  if (item.error || shows(item.state, item.claim)) return
  try {
    requireClaim(item.claim.params, item.state, chain.globalId, wallet.address, item.claim)
  } catch (error) {
    item.error = asContractsError(error)
  }
}

/** Reads the channel; an error of the chain is kept, a channel that is gone is an error. */
async function look(item: Item, chain: Chain): Promise<void> {
  try {
    const state = await readChannelState(item.claim.params, chain)
    if (state) item.state = state
    else delete item.state
    delete item.error
    if (!state) item.error = absent()
  } catch (error) {
    item.error = asContractsError(error)
  }
}

/** How many messages the wallet can pay: it drops, without a word, those that it cannot. */
async function affordable(chain: Chain, wallet: Wallet, wanted: number): Promise<number | ContractsError> {
  try {
    const balance = await wallet.balance(chain)
    const most = balance / NEEDED_EACH
    if (most >= 1n) return Math.min(wanted, MAX_BATCH, Number(most < 255n ? most : 255n))
    const message = `the wallet holds ${balance} nanotons, ${NEEDED_EACH} are needed for a settle; most of it returns`
    return new ContractsError('ERR_WALLET_FUNDS', message)
  } catch (error) {
    return asContractsError(error)
  }
}

async function sendChunk(items: Item[], chain: Chain, wallet: Wallet, wait: WaitOptions): Promise<void> {
  const messages = items.map(({ channel, claim }) =>
    channel.settle(claim.amount, claim.ceiling, claim.signature),
  )
  const failure = await wallet.send(chain, messages, wait).then(() => undefined, asContractsError)
  // Even what could not be sent may have been sent: a look decides. Only what was sent is worth waiting for.
  let open = items
  for await (const _ of looks(chain, wait, failure && 1)) {
    await each(open, (item) => look(item, chain))
    open = open.filter(({ state, claim }) => !shows(state, claim))
    if (open.length === 0) return
  }
  for (const item of open) item.error ??= failure ?? unconfirmed()
}

function unconfirmed(): ContractsError {
  return new ContractsError(
    'ERR_CHANNEL_UNCONFIRMED',
    'the settle was sent, but the channel does not show its effect; it may be sent again',
  )
}

/** Anything else is a fault of the program, and nobody's outcome. */
function asContractsError(error: unknown): ContractsError {
  if (error instanceof ContractsError) return error
  throw error
}

/** Works on all, a few at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const lane = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(READS, items.length) }, lane))
}
