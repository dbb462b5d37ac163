/** Where channels go wrong at the edges: dust, order of arrival, payments that nobody takes, keys with traps. */

import { createHash, randomBytes } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { beginCell, external, storeMessage } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { CHANNEL_EXIT } from '../errors.ts'
import { Bystander, MemoryChain, TestChannel } from '../testing.ts'
import { publicKeyObject } from '../voucher/keys.ts'
import { verifyVoucher, voucherHash } from '../voucher/voucher.ts'
import { Channel } from './channel.ts'
import { checkChannel } from './check.ts'
import { RENT_RESERVE } from './messages.ts'
import { parseChannelData } from './params.ts'

const TON = 1_000_000_000n

let chain: MemoryChain
let test: TestChannel

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestChannel.create(chain)
  await test.from(test.payer, test.channel.deploy(10n * TON))
})

async function stateOf(channel: Channel) {
  const { data } = await chain.account(channel.address)
  return data ? parseChannelData(data) : undefined
}

const settle = (amount: bigint, ceiling = amount) =>
  test.from(test.payee, test.channel.settle(amount, ceiling, test.voucher(ceiling)))

describe('dust', () => {
  it('one nanoton is settled, topped up and returned exactly', async () => {
    expect((await settle(1n)).success).toBe(true)
    expect((await settle(2n, 5n)).success).toBe(true)
    expect((await test.from(test.payer, test.channel.topUp(1n))).success).toBe(true)
    expect(await stateOf(test.channel)).toMatchObject({ deposited: 10n * TON + 1n, settled: 2n })
    expect((await chain.account(test.channel.address)).balance).toBe(10n * TON - 1n + RENT_RESERVE)
    expect((await settle(10n * TON + 1n)).success).toBe(true)
    expect((await chain.account(test.channel.address)).balance).toBe(RENT_RESERVE)
  })

  it('a channel of one nanoton lives and ends like any other', async () => {
    const small = await TestChannel.create(chain)
    await small.from(small.payer, small.channel.deploy(1n))
    const one = small.channel.settle(1n, 1n, small.voucher(1n))
    expect((await small.from(small.payee, one)).success).toBe(true)
    await small.from(small.payer, small.channel.startClose())
    chain.time += 3600
    expect((await small.from(small.payer, small.channel.finishClose())).success).toBe(true)
  })
})

describe('order of arrival', () => {
  it.each(['top-up first', 'start first'])('race of top-up and StartClose, %s', async (order) => {
    const topUp = () => test.from(test.payer, test.channel.topUp(TON))
    const start = () => test.from(test.payer, test.channel.startClose())
    const before = await test.payer.balance(chain)
    if (order === 'top-up first') {
      expect((await topUp()).success).toBe(true)
      expect((await start()).success).toBe(true)
    } else {
      expect((await start()).success).toBe(true)
      expect((await topUp()).exitCode).toBe(CHANNEL_EXIT.CLOSING)
    }
    chain.time += 3600
    await test.from(test.payer, test.channel.finishClose())
    // Either way all of it is the payer's again.
    expect((await test.payer.balance(chain)) - before).toBeGreaterThan(10n * TON)
  })

  it.each(['settle first', 'close first'])('race of settle and agreed close, %s', async (order) => {
    const close = () => test.from(test.payer, test.channel.coopClose(4n * TON, test.release(4n * TON)))
    const payee = await test.payee.balance(chain)
    if (order === 'settle first') {
      // The payee took more than it had released for: the release is void, and the payee keeps what vouchers say.
      expect((await settle(6n * TON)).success).toBe(true)
      expect((await close()).exitCode).toBe(CHANNEL_EXIT.NOT_ABOVE_SETTLED)
      expect((await test.payee.balance(chain)) - payee).toBeGreaterThan(5n * TON)
    } else {
      expect((await close()).success).toBe(true)
      expect((await settle(6n * TON)).exitCode).toBe(CHANNEL_EXIT.ABOVE_DEPOSIT)
      expect((await test.payee.balance(chain)) - payee).toBeLessThan(4n * TON)
    }
  })

  it('vouchers in any order: the highest counts, whatever was settled before', async () => {
    expect((await settle(3n * TON, 5n * TON)).success).toBe(true)
    expect((await settle(2n * TON)).exitCode).toBe(CHANNEL_EXIT.NOT_ABOVE_SETTLED)
    expect((await settle(3n * TON)).exitCode).toBe(CHANNEL_EXIT.NOT_ABOVE_SETTLED)
    expect((await settle(4n * TON, 4n * TON)).success).toBe(true)
    expect((await settle(5n * TON)).success).toBe(true)
  })
})

describe('bounces', () => {
  it('a payer that takes no payment cannot keep its channel from ending: nothing comes back', async () => {
    // The payer is itself a contract that refuses plain transfers: another channel.
    const refuser = test.channel.address
    const payer = new Bystander(refuser)
    const channel = new Channel({ ...test.params, payer: refuser, salt: randomBytes(32) })
    await test.payee.send(chain, [channel.deploy(3n * TON)])
    await payer.send(chain, [channel.startClose()])
    chain.time += 3600
    const before = (await chain.account(refuser)).balance
    await test.payee.send(chain, [channel.finishClose()])
    expect((await chain.account(channel.address)).state).toBe('none')
    expect((await chain.account(refuser)).balance - before).toBeGreaterThan(3n * TON)
    expect(chain.last.filter(({ account }) => account.equals(channel.address))).toHaveLength(1)
  })

  it('a bounced message, as one that the channel never sends would come back, changes nothing', async () => {
    const before = await chain.account(test.channel.address)
    const body = beginCell()
      .storeUint(0xffffffff, 32)
      .storeBits(test.channel.settle(1n, 1n, test.voucher(1n)).body.bits)
    const forged = test.channel.startClose()
    if (forged.info.type === 'internal') forged.info.bounced = true
    await chain.deliver(test.payer.address, { ...forged, body: body.endCell() })
    expect(chain.transactionOf(test.channel.address).exitCode).toBe(CHANNEL_EXIT.UNKNOWN_OP)
    expect((await chain.account(test.channel.address)).data?.hash()).toEqual(before.data?.hash())
  })

  it('a deployment that is refused comes back', async () => {
    const late = await TestChannel.create(chain, { openUntil: chain.time - 1 })
    const before = await late.payer.balance(chain)
    expect((await late.from(late.payer, late.channel.deploy(5n * TON))).exitCode).toBe(
      CHANNEL_EXIT.OPEN_EXPIRED,
    )
    expect(before - (await late.payer.balance(chain))).toBeLessThan(TON / 20n)
  })
})

it('external messages before accept: any of them is refused before it costs the channel anything', async () => {
  const before = await chain.account(test.channel.address)
  const bodies = [
    test.channel.settle(TON, TON, test.voucher(TON)),
    test.channel.startClose(),
    test.channel.topUp(1n),
  ]
  for (const { body } of bodies) {
    const message = external({ to: test.channel.address, body })
    const boc = beginCell().store(storeMessage(message)).endCell().toBoc()
    await expect(chain.send(boc)).rejects.toMatchObject({ code: 'ERR_CHAIN_REJECTED' })
  }
  const after = await chain.account(test.channel.address)
  expect([after.balance, after.lastLt]).toEqual([before.balance, before.lastLt])
})

describe('keys with traps', () => {
  /** A point of order 8. */
  const torsion = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')

  /** What a payer signs who has put a component of order 8 into its key. */
  function trapped(): { key: Uint8Array; sign: (hash: Uint8Array) => Buffer } {
    const scalar = (bytes: Uint8Array) =>
      ed25519.Point.Fn.create(BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`))
    const order = ed25519.Point.Fn.ORDER
    const a = scalar(randomBytes(32)) || 1n
    const key = ed25519.Point.BASE.multiply(a).add(torsion).toBytes()
    return {
      key,
      sign: (hash) => {
        const r = scalar(randomBytes(32)) || 1n
        const point = ed25519.Point.BASE.multiply(r).toBytes()
        const digest = createHash('sha512').update(point).update(key).update(hash).digest()
        const s = (r + scalar(digest) * a) % order
        const tail = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
        return Buffer.concat([point, tail])
      },
    }
  }

  it('we and the TVM agree on every voucher of such a key; some pass, so such keys are refused at acceptance', async () => {
    const { key, sign } = trapped()
    const channel = new Channel({ ...test.params, voucherKey: key, salt: randomBytes(32) })
    await test.payer.send(chain, [channel.deploy(TON)])
    const answers = new Set<boolean>()
    for (let ceiling = 1n; ceiling <= 48n; ceiling++) {
      const terms = { globalId: chain.globalId, channel: channel.address, ceiling }
      const signature = sign(voucherHash(terms))
      await test.payee.send(chain, [channel.settle(ceiling, ceiling, signature)])
      const { success } = chain.transactionOf(channel.address)
      expect(verifyVoucher(publicKeyObject(key), terms, signature)).toBe(success)
      answers.add(success)
    }
    expect(answers).toContain(false)
  })

  it('of small order: whatever the TVM thinks of them, no payee gives credit against them', async () => {
    const params = { ...test.params, voucherKey: torsion.toBytes() }
    await expect(checkChannel(params, chain)).rejects.toMatchObject({ code: 'ERR_KEY_UNSAFE' })
  })
})
