import type { Wallet } from '../../contracts/index.ts'
import type { TreasuryChain } from './desk.ts'
import { TreasuryError } from './errors.ts'

/**
 * Sees to it that a wallet can send `amount` nanotons: from the faucet of a local chain, else its owner has to.
 *
 * @param float kept on it beyond that, for fees
 * @throws TreasuryError `ERR_TREASURY_FUNDS`
 */
export async function ensureFunds(
  chain: TreasuryChain,
  wallet: Wallet,
  amount: bigint,
  float: bigint,
): Promise<void> {
  const balance = await wallet.balance(chain)
  if (balance >= amount + float) return
  if (chain.fund) return await chain.fund(wallet.address, amount + float - balance)
  // What is sent must be there; that it is not all for fees is looked at when the wallet sends.
  if (balance > amount) return
  throw new TreasuryError(
    'ERR_TREASURY_FUNDS',
    `wallet ${wallet.address.toString()} holds ${balance} nanotons, ${amount} and fees are needed: send them there`,
  )
}
