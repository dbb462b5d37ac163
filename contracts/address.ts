import type { Address } from '@ton/core'
import { MAINNET } from './chain/toncenter/networks.ts'

/**
 * An address as wallets show it, with the mark of a test network where it is on one.
 * @param bounceable of a contract, so that money which it does not take comes back; a person's wallet is not
 */
export function friendlyAddress(address: Address, globalId: number, bounceable = true): string {
  return address.toString({ bounceable, testOnly: globalId !== MAINNET.globalId })
}
