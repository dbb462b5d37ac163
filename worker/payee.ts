import type { KeyObject } from 'node:crypto'
import { Address } from '@ton/core'
import { ConfigError } from '../attest/cli/config.ts'
import { type Chain, Wallet } from '../contracts/index.ts'
import type { WorkerSettings } from './config.ts'
import { bindOwner, readOwner } from './earnings/owner.ts'
import { ownerFile, payoutKeyFile, releaseKeyFile } from './folder.ts'

/** Where a worker is paid. */
export interface Payee {
  /** Raw. */
  address: string
  /** The wallet there, when it is the worker's own. */
  wallet?: Wallet
  /**
   * What has to agree before a channel is closed at once. Always the worker's own: a gateway that named a key of its
   * own could close over the worker's head, and take back all that is promised and not settled.
   */
  releaseKey?: KeyObject
  /** Where what the wallet gets is sent. */
  owner?: Address
}

/**
 * Where the worker of `folder` is paid, by its settings; the keys are made when they are not there.
 *
 * @returns undefined without a chain: then nobody pays
 * @throws ConfigError, ContractsError ERR_WALLET_FILE for a key file that others can read
 */
export async function openPayee(
  { payoutAddress, ownerAddress }: Pick<WorkerSettings, 'payoutAddress' | 'ownerAddress'>,
  folder: string,
  chain: Pick<Chain, 'globalId'> | undefined,
): Promise<Payee | undefined> {
  if (payoutAddress !== undefined) {
    if (ownerAddress !== undefined)
      throw new ConfigError(
        'setting ownerAddress: goes without payoutAddress, which is paid by gateways directly',
      )
    if (!chain) return { address: payoutAddress }
    const { key: releaseKey } = await Wallet.open(releaseKeyFile(folder), chain.globalId)
    return { address: payoutAddress, releaseKey }
  }
  if (!chain)
    return ownerAddress === undefined ? undefined : { address: Address.parse(ownerAddress).toRawString() }
  const wallet = await Wallet.open(payoutKeyFile(folder), chain.globalId)
  const payee = { address: wallet.address.toRawString(), wallet, releaseKey: wallet.key }
  if (ownerAddress === undefined) return payee
  const file = ownerFile(folder)
  const owner = await readOwner(file, ownerAddress, chain.globalId)
  await bindOwner(file, owner, chain.globalId)
  return { ...payee, owner }
}
