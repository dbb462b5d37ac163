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
 * @param dust what is promised to the wallet and was not worth settling, see {@link dustOf}
 * @throws EarningsError ERR_WITHDRAW_FUNDS, ERR_WITHDRAW_ADDRESS
 */
export async function planWithdrawal(
  chain: Chain,
  wallet: Wallet,
  { to, amount, keep, dust = 0n }: { to: Address; amount?: bigint | undefined; keep: bigint; dust?: bigint },
): Promise<Withdrawal & { balance: bigint }> {
  if (to.equals(wallet.address)) throw unfit('is the worker’s own wallet')
  if ((await chain.account(to)).state === 'frozen') throw unfit('is frozen: its wallet owes rent')
  const balance = await wallet.balance(chain)
  const most = balance - FEE - (amount === undefined ? keep : 0n)
  const asked = amount ?? most
  if (asked > 0n && asked <= most) return { to, amount: asked, balance }
  const kept = amount === undefined ? `, ${formatTon(keep)} are kept for fees to come` : ''
  const left =
    dust > 0n ? `; ${formatTon(dust)} more are promised, but to settle that costs more than it brings` : ''
  throw new EarningsError(
    'ERR_WITHDRAW_FUNDS',
    `the wallet holds ${formatTon(balance)} TON; ${formatTon(FEE)} are set aside for this message's fees${kept}${left}`,
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
  const claims = claimsOf(channels, wallet).filter(({ gain }) => gain > cost)
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

/** What gateways have promised to this wallet in channels that {@link settleAll} leaves, as each costs more than it brings. */
export async function dustOf(
  chain: Chain,
  wallet: Wallet,
  channels: readonly ChannelAccount[],
): Promise<bigint> {
  const cost = settleCost(await chain.prices(), 1)
  return claimsOf(channels, wallet).reduce((sum, { gain }) => (gain > cost ? sum : sum + gain), 0n)
}

/** What a settle of a channel would send, and how much it would bring. */
interface Claim {
  claim: SettleClaim
  settled: bigint
  gain: bigint
}

function claimsOf(channels: readonly ChannelAccount[], wallet: Wallet): Claim[] {
  return channels.flatMap(({ params: text, deposited, ceiling, settled, signature, state }) => {
    const amount = least(ceiling, deposited)
    const gain = amount - settled
    if (text === '' || signature === '' || state === 'gone' || gain <= 0n) return []
    const params = channelParamsFromJson(JSON.parse(text))
    if (!params.payee.equals(wallet.address)) return []
    return [{ claim: { params, amount, ceiling, signature: fromBase64(signature) }, settled, gain }]
  })
}

function unfit(what: string): EarningsError {
  return new EarningsError('ERR_WITHDRAW_ADDRESS', `--to: the address ${what}`)
}
