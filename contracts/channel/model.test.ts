import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import { RENT_RESERVE } from './messages.ts'
import { parseChannelData } from './params.ts'

/** The channel as it should be, without TVM: what random sequences of messages are compared with. */
interface Model {
  deposited: bigint
  settled: bigint
  closeAt: number
  gone: boolean
}

type Step =
  | { kind: 'topUp'; amount: bigint }
  | { kind: 'settle'; amount: bigint; ceiling: bigint }
  | { kind: 'startClose' }
  | { kind: 'finishClose'; byPayee: boolean }
  | { kind: 'coopClose'; amount: bigint }
  | { kind: 'wait'; seconds: number }

const amount = fc.bigInt({ min: 0n, max: 3_000_000_000n })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('topUp' as const), amount }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('settle' as const), amount, ceiling: amount }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'startClose' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('finishClose' as const), byPayee: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('coopClose' as const), amount }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 4000 }) }),
  },
)

function expected(model: Model, next: Step, test: TestChannel): Model {
  const { challengeSeconds, openUntil } = test.params
  const now = test.chain.time
  if (model.gone) return model
  switch (next.kind) {
    case 'topUp':
      if (next.amount === 0n || model.closeAt !== 0 || (model.deposited === 0n && now > openUntil))
        return model
      return { ...model, deposited: model.deposited + next.amount }
    case 'settle': {
      const fits =
        next.amount > model.settled && next.amount <= next.ceiling && next.amount <= model.deposited
      return fits ? { ...model, settled: next.amount } : model
    }
    case 'startClose':
      return model.closeAt === 0
        ? { ...model, closeAt: Math.max(now + challengeSeconds, openUntil + 1) }
        : model
    case 'finishClose':
      return model.closeAt !== 0 && now >= model.closeAt ? { ...model, gone: true } : model
    case 'coopClose':
      if (next.amount < model.settled || next.amount > model.deposited) return model
      if (now > openUntil) return { ...model, gone: true }
      return { ...model, deposited: next.amount, settled: next.amount, closeAt: openUntil + 1 }
    case 'wait':
      return model
  }
}

async function act(next: Step, test: TestChannel): Promise<void> {
  const { channel, payer, payee, chain } = test
  if (next.kind === 'wait') chain.time += next.seconds
  else if (next.kind === 'topUp') await payer.send(chain, [channel.topUp(next.amount)])
  else if (next.kind === 'settle') {
    await payee.send(chain, [channel.settle(next.amount, next.ceiling, test.voucher(next.ceiling))])
  } else if (next.kind === 'startClose') await payer.send(chain, [channel.startClose()])
  else if (next.kind === 'finishClose')
    await (next.byPayee ? payee : payer).send(chain, [channel.finishClose()])
  else await payer.send(chain, [channel.coopClose(next.amount, test.release(next.amount))])
}

describe.each([
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
])('random sequences at $name', ({ prices }) => {
  it('do what the model says, keep the deposit covered and lose no nanoton', async () => {
    const chain = await MemoryChain.create({ prices })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 14 }), async (steps) => {
        const test = await TestChannel.create(chain, { challengeSeconds: 3600 })
        await test.from(test.payer, test.channel.deploy(2_000_000_000n))
        let model: Model = { deposited: 2_000_000_000n, settled: 0n, closeAt: 0, gone: false }
        for (const next of steps) {
          const wanted = expected(model, next, test)
          await act(next, test)
          const account = await chain.account(test.channel.address)
          expect(account.state === 'active').toBe(!wanted.gone)
          if (account.data) {
            const { deposited, settled, closeAt } = parseChannelData(account.data)
            expect({ deposited, settled, closeAt }).toEqual({
              deposited: wanted.deposited,
              settled: wanted.settled,
              closeAt: wanted.closeAt,
            })
            const owed = deposited - settled
            if (owed > 0n) expect(account.balance).toBeGreaterThan(owed + RENT_RESERVE - 100_000n)
          }
          expect(chain.total()).toBe(GENESIS_SUPPLY)
          model = wanted
        }
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })
})
