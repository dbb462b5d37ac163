/** The chain that a payer's command works on. */

import { ConfigError } from '../../attest/cli/config.ts'
import { type Chain, type ChainSettings, type LocalChain, openChain } from '../../contracts/index.ts'

/** A chain that may be a local one, which has a faucet. */
export type PayersChain = Chain & Partial<Pick<LocalChain, 'fund'>>

/** @throws ConfigError when the settings name none; ContractsError as `openChain` */
export async function connectChain(settings: ChainSettings): Promise<PayersChain> {
  const chain = await openChain(settings)
  if (chain) return chain
  throw new ConfigError(
    '--chain-url and --chain-token-file: of the local chain; or --network and --chain-provider',
  )
}
