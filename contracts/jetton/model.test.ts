import { internal } from '@ton/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { MemoryChain } from '../testing.ts'
import { FORWARD_TON, jettonTransferBody } from './messages.ts'
import { LOCKED, TestJettonChannel } from './testing/jetton.ts'

const USD = 1_000_000n
const SUPPLY = 1000n * USD

type Step =
  | { kind: 'deposit'; amount: bigint; forwardTon: bigint }
  | { kind: 'settle'; amount: bigint; ceiling: bigint }
  | { kind: 'coopClose' | 'sweep'; amount: bigint }
  | { kind: 'lock'; status: number }
  | { kind: 'wait'; seconds: number }
  | { kind: 'startClose' | 'finishClose' | 'retry' | 'open' }

const amount = fc.bigInt({ min: 0n, max: 30n * USD })
const only = <K extends string>(kind: K) => ({ kind: fc.constant(kind) })
/** In full, too little for the way back, and so little that the channel is never told. */
const forwardTon = fc.constantFrom(FORWARD_TON, FORWARD_TON, 3_000_000n, 1n)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ ...only('deposit'), amount, forwardTon }) },
  { weight: 6, arbitrary: fc.record({ ...only('settle'), amount, ceiling: amount }) },
  { weight: 1, arbitrary: fc.record({ ...only('coopClose'), amount }) },
  { weight: 1, arbitrary: fc.record({ ...only('sweep'), amount }) },
  { weight: 3, arbitrary: fc.record({ ...only('lock'), status: fc.constantFrom(0, LOCKED.out) }) },
  { weight: 3, arbitrary: fc.record({ ...only('wait'), seconds: fc.constantFrom(60, 700, 4000, 90_000) }) },
  { weight: 1, arbitrary: fc.record(only('startClose')) },
  { weight: 3, arbitrary: fc.record(only('finishClose')) },
  { weight: 3, arbitrary: fc.record(only('retry')) },
  { weight: 1, arbitrary: fc.record(only('open')) },
)

async function act(next: Step, test: TestJettonChannel): Promise<void> {
  const { channel, payer, payee, chain, jetton } = test
  switch (next.kind) {
    case 'deposit': {
      const transfer = { ...next, to: channel.address, excessTo: payer.address }
      const to = jetton.walletOf(payer.address)
      return payer.send(chain, [internal({ to, value: 100_000_000n, body: jettonTransferBody(transfer) })])
    }
    case 'settle':
      return payee.send(chain, [channel.settle(next.amount, next.ceiling, test.voucher(next.ceiling))])
    case 'coopClose':
      return payer.send(chain, [channel.coopClose(next.amount, test.release(next.amount))])
    case 'sweep':
      return payer.send(chain, [channel.sweep(next.amount)])
    case 'lock':
      return jetton.lock(channel.address, next.status)
    case 'wait':
      chain.time += next.seconds
      return
    default:
      return payer.send(chain, [channel[next.kind]()])
  }
}

/** All that must hold after any sequence. `heard` is the highest amount that voucher or release allowed the payee. */
async function check(test: TestJettonChannel, heard: bigint): Promise<void> {
  const { payer, payee, channel } = await test.holdings()
  expect(payer + payee + channel).toBe(SUPPLY)
  expect(test.chain.total()).toBe(GENESIS_SUPPLY)
  const state = await test.state()
  const owed = state?.unpaidPayee ?? 0n
  expect(payee + owed).toBeLessThanOrEqual(heard)
  // A channel that was swept after its end is a fresh shell, which knows of no past.
  if (state?.jettonWallet) expect(payee + owed).toBe(state.settled)
}

describe.each([
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
])('random sequences at $name', ({ prices }) => {
  it('keep every jetton accounted for, through locks, bounces, strays and closes', async () => {
    const chain = await MemoryChain.create({ prices })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16 }), async (steps) => {
        const test = await TestJettonChannel.create(chain, { challengeSeconds: 3600 })
        await test.from(test.payer, test.channel.open())
        await test.from(test.payer, test.channel.deposit(test.payer.address, 20n * USD))
        let heard = 0n
        for (const next of steps) {
          if (next.kind === 'settle' && next.ceiling > heard) heard = next.ceiling
          if (next.kind === 'coopClose' && next.amount > heard) heard = next.amount
          const before = await strays(test)
          await act(next, test)
          const after = await strays(test)
          const dust = next.kind === 'deposit' && next.forwardTon === 1n
          const gone = (await test.state()) === undefined
          // Only deposits that nobody was told of make strays, and only a sweep takes them away.
          if (after > before) expect(dust || (gone && next.kind === 'deposit')).toBe(true)
          if (after < before) expect(next.kind).toBe('sweep')
          await check(test, heard)
        }
      }),
      { numRuns: 8, endOnFailure: true },
    )
  })
})

/** Jettons in the own wallet that the contract does not know of. */
async function strays(test: TestJettonChannel): Promise<bigint> {
  const { channel } = await test.holdings()
  const state = await test.state()
  if (!state) return channel
  return channel - (state.deposited - state.settled + state.unpaidPayee + state.unpaidPayer)
}
