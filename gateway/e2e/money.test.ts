import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChannelReport, channelStatus, payFor } from './money.ts'
import { bodyOf, cleanUp, type ErrorBody, type Stack, startStack } from './stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(cleanUp)

const client = (report: ChannelReport) => report.channels.filter(({ role }) => role === 'client').at(-1)
const worker = (report: ChannelReport) => report.channels.find(({ role }) => role === 'worker')

describe('money', () => {
  it('charges exactly what the receipts say, and the books add up to the nanoton', async () => {
    const before = await channelStatus(stack)
    let sum = BigInt(client(before)?.charged ?? 0)
    for (let i = 0; i < 3; i++) sum += await payFor(stack, 'Hello')
    const after = await channelStatus(stack)
    expect(BigInt(client(after)?.charged ?? 0)).toBe(sum)
    expect(client(after)?.ceiling).toBe(client(after)?.charged)
    expect(client(after)?.reserved).toBe('0')
    expect(BigInt(worker(after)?.ceiling ?? 0)).toBeGreaterThan(0n)
    expect(after.balances.difference).toBe('0')
  })

  it('survives kill -9 of everything: chain, ledger and vouchers still balance', async () => {
    const charged = await payFor(stack, 'Thank you')
    const before = await channelStatus(stack)
    await stack.stop('SIGKILL')
    stack = await startStack({ dir: stack.dir })
    const after = await channelStatus(stack)
    expect(charged).toBeGreaterThan(0n)
    expect(client(after)).toEqual(client(before))
    expect(after.balances.difference).toBe('0')
  })

  it('closes: the charge is settled, the rest returned, and the key gets 402 once', async () => {
    const before = await channelStatus(stack)
    const report = await channelStatus(stack, 'close')
    expect(client(report)?.state).toBe('closed')
    expect(client(report)?.settled).toBe(client(before)?.charged)
    expect(report.balances.difference).toBe('0')
    const refused = await stack.post('/v1/chat/completions', {
      model: stack.ready.models[0],
      messages: [{ role: 'user', content: 'Hello' }],
    })
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([402, 'false'])
    expect((await bodyOf<ErrorBody>(refused)).error).toMatchObject({ code: 'insufficient_quota' })
  })
})
