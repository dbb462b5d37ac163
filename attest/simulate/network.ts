import { ChrysalisError } from '../errors.ts'

/** global_id of TON's mainnet and testnet. */
const PUBLIC_NETWORKS = new Map([
  [-239, 'mainnet'],
  [-3, 'testnet'],
])

/**
 * A simulated enclave protects nobody, so nothing that runs in one may take part in a network that others use.
 *
 * @throws ChrysalisError `ERR_SIMULATED_NETWORK` on the global_id of mainnet or testnet
 */
export function refusePublicNetwork(globalId: number): void {
  const name = PUBLIC_NETWORKS.get(globalId)
  if (name === undefined) return
  throw new ChrysalisError(
    'ERR_SIMULATED_NETWORK',
    `setting network: a simulated enclave does not run on TON ${name} (global_id ${globalId}); use a local chain`,
  )
}
