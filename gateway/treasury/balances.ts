import { Address } from '@ton/core'
import type { Chain, LocalChain } from '../../contracts/index.ts'
import type { ChannelRecord } from '../ledger/index.ts'
import type { TreasuryKeys } from './keys.ts'
import { paramsOf } from './terms.ts'

/** Where the money is, in nanotons. */
export interface Balances {
  /** The demonstration's client. */
  payer: bigint
  gateway: bigint
  /** Wallets of clients, if they are nobody's above. */
  clients: bigint
  /** Payout addresses of workers. */
  workers: bigint
  /** Inside channel contracts: deposits that are not settled, and their rent reserves. */
  channels: bigint
  /** Local chain only: what the faucet has left, and what all fees so far came to. */
  faucet?: bigint
  fees?: bigint
  /** Local chain only: the supply at the chain's birth less all of the above. Anything but 0 is a fault. */
  difference?: bigint
}

/** How often the sum is taken again when transactions came between its parts. */
const ATTEMPTS = 5

/**
 * Adds up every wallet and channel. On a local chain, where nobody else has money, the sum is held against the supply:
 * wallets + channels + faucet + fees = what there was at the beginning.
 */
export async function readBalances(
  chain: Chain & Partial<Pick<LocalChain, 'audit'>>,
  keys: TreasuryKeys,
  channels: readonly ChannelRecord[],
): Promise<Balances> {
  for (let attempt = 1; ; attempt++) {
    const balances = await addUp(chain, keys, channels)
    if (!chain.audit) return balances
    const { genesis, faucet, burned } = await chain.audit()
    const { payer, gateway, clients, workers, channels: locked } = balances
    const difference = genesis - payer - gateway - clients - workers - locked - faucet - burned
    if (difference === 0n || attempt === ATTEMPTS) return { ...balances, faucet, fees: burned, difference }
  }
}

async function addUp(chain: Chain, keys: TreasuryKeys, records: readonly ChannelRecord[]): Promise<Balances> {
  const counted = new Set([keys.payer.address.toRawString(), keys.gateway.address.toRawString()])
  /** The wallets that nobody before has, each once. */
  const others = (parties: Address[]) => {
    const found = new Set(parties.map((party) => party.toRawString()).filter((raw) => !counted.has(raw)))
    for (const raw of found) counted.add(raw)
    return found
  }
  const workers = records.filter(({ role }) => role === 'worker').map((record) => paramsOf(record).payee)
  const clients = records.filter(({ role }) => role === 'client').map((record) => paramsOf(record).payer)
  const sum = async (addresses: Iterable<string>) => {
    let total = 0n
    for (const address of addresses) total += (await chain.account(Address.parseRaw(address))).balance
    return total
  }
  return {
    payer: await keys.payer.balance(chain),
    gateway: await keys.gateway.balance(chain),
    workers: await sum(others(workers)),
    clients: await sum(others(clients)),
    channels: await sum(records.map(({ address }) => address)),
  }
}
