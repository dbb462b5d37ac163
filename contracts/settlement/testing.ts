/** Many channels of one payer and one payee, open and charged, for the tests of settlement. */

import type { Channel } from '../channel/channel.ts'
import { type MemoryChain, TestChannel } from '../testing.ts'
import { generateKey } from '../voucher/keys.ts'
import type { Wallet } from '../wallet/wallet.ts'
import type { SettleClaim } from './batch.ts'

const TON = 1_000_000_000n
/** Openings that fit into one external message. */
const OPENINGS = 200

export interface ManyChannels {
  payer: Wallet
  payee: Wallet
  channels: Channel[]
  /** One for each channel: 12.3 of 100 TON, under a voucher for 20. */
  claims: SettleClaim[]
}

/**
 * @param count of channels, all with the same keys and with 100 TON each
 * @param payee a new, funded one when absent
 */
export async function manyChannels(chain: MemoryChain, count: number, payee?: Wallet): Promise<ManyChannels> {
  const payer = await chain.wallet(1_000_000n * TON)
  const owner = payee ?? (await chain.wallet(1_000n * TON))
  const [voucherKey, payeeKey] = [generateKey(), generateKey()]
  const tests = Array.from(
    { length: count },
    () => new TestChannel(chain, payer, owner, voucherKey, payeeKey),
  )
  for (let at = 0; at < count; at += OPENINGS) {
    const messages = tests.slice(at, at + OPENINGS).map(({ channel }) => channel.deploy(100n * TON))
    await payer.send(chain, messages)
  }
  const amount = 12_345_678_901n
  const ceiling = 20n * TON
  const claims = tests.map((test) => ({
    params: test.params,
    amount,
    ceiling,
    signature: test.voucher(ceiling),
  }))
  return { payer, payee: owner, channels: tests.map(({ channel }) => channel), claims }
}
