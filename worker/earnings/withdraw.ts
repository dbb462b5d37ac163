/** From the worker's wallet to its owner's. All amounts are nanotons. */

import { type Address, internal } from '@ton/core'
import { fromBase64 } from '../../attest/bytes.ts'
import {
  type AccountSnapshot,
  type Chain,
  channelParamsFromJson,
  formatTon,
  least,
  looks,
  type SettleClaim,
  settleBatch,
  settleCost,
  type WaitOptions,
  type Wallet,
} from '../../contracts/index.ts'
import { EarningsError } from './errors.ts'
import type { ChannelAccount } from './store.ts'

/** More than the message of a withdrawal costs at any prices so far; also what the receiving wallet may use up. */
export const FEE = 10_000_000n

export interface Withdrawal {
  to: Address
  amount: bigint
}

/**
 * What can be sent: `amount`, or everything above `keep`.
 * @throws EarningsError ERR_WITHDRAW_FUNDS, ERR_WITHDRAW_ADDRESS
 */
export async function planWithdrawal(
  chain: Chain,
  wallet: Wallet,
  { to, amount, keep }: { to: Address; amount?: bigint | undefined; keep: bigint },
): Promise<Withdrawal & { balance: bigint }> {
  if (to.equals(wallet.address)) throw unfit('is the worker’s own wallet')
  if ((await chain.account(to)).state === 'frozen') throw unfit('is frozen: its wallet owes rent')
  const balance = await wallet.balance(chain)
  const most = balance - FEE - (amount === undefined ? keep : 0n)
  const asked = amount ?? most
  if (asked > 0n && asked <= most) return { to, amount: asked, balance }
  const kept = amount === undefined ? `, ${formatTon(keep)} are kept for fees to come` : ''
  throw new EarningsError(
    'ERR_WITHDRAW_FUNDS',
    `the wallet holds ${formatTon(balance)} TON; ${formatTon(FEE)} are set aside for this message's fees${kept}`,
  )
}

/**
 * Sends, and believes it when the owner's account shows it. To be called within `withPurse`.
 * @returns the owner's account as it was seen then
 * @throws ContractsError ERR_WALLET_FUNDS, ERR_WALLET_EXPIRED, ERR_CHAIN_REJECTED
 * @throws EarningsError ERR_WITHDRAW_UNCONFIRMED: it was sent, and may arrive yet
 */
export async function withdraw(
  chain: Chain,
  wallet: Wallet,
  { to, amount }: Withdrawal,
  wait: WaitOptions = {},
): Promise<AccountSnapshot> {
  const before = await chain.account(to)
  // Money for a wallet that does not exist yet would come back if it could bounce; to a contract it has to bounce.
  const message = internal({ to, value: amount, bounce: before.state === 'active' })
  await wallet.send(chain, [message], wait)
  for await (const _ of looks(chain, wait)) {
    const after = await chain.account(to)
    if (after.lastLt > before.lastLt && after.balance >= before.balance + amount - FEE) return after
  }
  throw new EarningsError(
    'ERR_WITHDRAW_UNCONFIRMED',
    'the message was sent, but the owner’s account does not show it: look at both accounts before trying again',
  )
}

/**
 * Settles what gateways have promised to this wallet, as far as it brings more than it costs. Within `withPurse`.
 * @returns how much each channel has brought, by address; nothing for those with nothing to take
 * @throws ContractsError the first that a channel had, after all were tried
 */
export async function settleAll(
  chain: Chain,
  wallet: Wallet,
  channels: readonly ChannelAccount[],
  wait: WaitOptions = {},
): Promise<Map<string, bigint>> {
  const cost = settleCost(await chain.prices(), 1)
  const claims = channels.flatMap((channel) => claimOf(channel, wallet, cost) ?? [])
  const brought = new Map<string, bigint>()
  const outcomes = await settleBatch(
    chain,
    wallet,
    claims.map(({ claim }) => claim),
    wait,
  )
  for (const [index, { address, state, error }] of outcomes.entries()) {
    // One that the worker has settled meanwhile, or whose gateway has closed it, is no reason to stop.
    if (error && !GONE.has(error.code)) throw error
    const before = claims[index]?.settled ?? 0n
    if (state && state.settled > before) brought.set(address.toRawString(), state.settled - before)
  }
  return brought
}

const GONE = new Set(['ERR_CHANNEL_ABSENT', 'ERR_CHANNEL_NOT_ABOVE_SETTLED'])

function claimOf(
  { params: text, deposited, ceiling, settled, signature, state }: ChannelAccount,
  wallet: Wallet,
  cost: bigint,
): { claim: SettleClaim; settled: bigint } | undefined {
  const amount = least(ceiling, deposited)
  if (text === '' || signature === '' || state === 'gone' || amount - settled <= cost) return undefined
  const params = channelParamsFromJson(JSON.parse(text))
  if (!params.payee.equals(wallet.address)) return undefined
  return { claim: { params, amount, ceiling, signature: fromBase64(signature) }, settled }
}

function unfit(what: string): EarningsError {
  return new EarningsError('ERR_WITHDRAW_ADDRESS', `--to: the address ${what}`)
}
