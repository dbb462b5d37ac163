/** The channel's client, unchanged, over two providers. */

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChannelClient } from '../../channel/client.ts'
import type { ChannelParams } from '../../channel/params.ts'
import { generateKey, rawPublicKey } from '../../voucher/keys.ts'
import { signRelease, signVoucher } from '../../voucher/voucher.ts'
import type { Wallet } from '../../wallet/wallet.ts'
import type { Fault } from '../testing/toncenter.ts'
import { World } from '../testing/world.ts'
import type { ToncenterChain } from './chain.ts'

const TON = 1_000_000_000n

let world: World
let chain: ToncenterChain
let payer: Wallet
let payee: Wallet
let client: ChannelClient
const voucherKey = generateKey()
const payeeKey = generateKey()

beforeEach(async () => {
  world = await World.start()
  payer = await world.wallet()
  payee = await world.wallet()
  chain = await world.connect()
  const params: ChannelParams = {
    payer: payer.address,
    payee: payee.address,
    voucherKey: rawPublicKey(voucherKey),
    payeeKey: rawPublicKey(payeeKey),
    challengeSeconds: 3600,
    openUntil: world.network.time + 600,
    salt: randomBytes(32),
  }
  client = new ChannelClient({ chain, params, pause: () => world.clock.sleep(1000) })
})

afterEach(() => world.close())

function settle(amount: bigint, ceiling: bigint) {
  const terms = { globalId: chain.globalId, channel: client.address, ceiling }
  return client.settle(payee, amount, ceiling, signVoucher(voucherKey, terms))
}

async function pass(seconds: number): Promise<void> {
  world.clock.ms += seconds * 1000
  await world.network.advance()
}

describe('a channel over two providers', () => {
  it('opens, is topped up, settles and closes', async () => {
    expect(await client.open(payer, 10n * TON)).toMatchObject({ deposited: 10n * TON, settled: 0n })
    expect(await client.topUp(payer, TON)).toMatchObject({ deposited: 11n * TON })
    expect(await settle(2n * TON, 5n * TON)).toMatchObject({ settled: 2n * TON })
    const checked = await ChannelClient.check(client.channel.params, chain, { payee: payee.address })
    expect(checked.credit).toBe(9n * TON)
    const { closeAt } = await client.startClose(payer)
    await expect(client.finishClose(payer)).rejects.toMatchObject({ code: 'ERR_CHANNEL_TOO_EARLY' })
    await pass(closeAt - world.network.time)
    await client.finishClose(payer)
    expect(await client.state()).toBeUndefined()
    expect(await chain.account(client.address)).toMatchObject({ state: 'none', balance: 0n, lastLt: 0n })
  })

  it('closes at once under a release', async () => {
    await client.open(payer, TON)
    await pass(601)
    const terms = { globalId: chain.globalId, channel: client.address, amount: 5n }
    expect(await client.coopClose(payer, 5n, signRelease(payeeKey, terms))).toBeUndefined()
  })

  it('does so while both providers misbehave in turn', async () => {
    const faults: Fault[] = [
      { kind: 'status', status: 429, retryAfter: '1' },
      { kind: 'status', status: 502 },
      { kind: 'truncate' },
      { kind: 'cut' },
      { kind: 'status', status: 500 },
      { kind: 'hang' },
    ]
    const often = faults.flatMap((fault) => [fault, fault, undefined])
    world.one.faults.push(...often)
    world.other.faults.push(...often.toReversed())
    await client.open(payer, 10n * TON)
    await settle(2n * TON, 5n * TON)
    const { closeAt } = await client.startClose(payer)
    expect(world.one.faults).toEqual([])
    expect(world.other.faults).toEqual([])
    await pass(closeAt - world.network.time)
    await client.finishClose(payer)
    expect(await client.state()).toBeUndefined()
  })

  it('is not believed when one provider shows a deposit that the other does not', async () => {
    await client.open(payer, TON)
    world.one.lie = (method, result) =>
      method === 'getAddressInformation' ? { ...(result as object), balance: '99000000000' } : result
    await expect(client.state()).rejects.toMatchObject({ code: 'ERR_CHAIN_DISAGREEMENT' })
  })
})
