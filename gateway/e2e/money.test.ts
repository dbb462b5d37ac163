import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { channelStatus, clientChannel, earningsOf, payFor, workerChannel } from './money.ts'
import { allGone, descendantsOf } from './processes.ts'
import { bodyOf, cleanUp, type ErrorBody, type Stack, startStack } from './stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(cleanUp)

const linux = process.platform === 'linux'
if (!linux)
  console.warn('money.test.ts: kill -9 of everything is SKIPPED, it needs the process tree of Linux /proc')

describe('money', () => {
  it('charges exactly what the receipts say, and the books add up to the nanoton', async () => {
    const before = await channelStatus(stack)
    let sum = BigInt(clientChannel(before).charged)
    for (let i = 0; i < 3; i++) sum += await payFor(stack, 'Hello')
    const after = await channelStatus(stack)
    expect(BigInt(clientChannel(after).charged)).toBe(sum)
    expect(clientChannel(after).ceiling).toBe(clientChannel(after).charged)
    expect(clientChannel(after).reserved).toBe('0')
    const { charged, ceiling } = workerChannel(after)
    expect(BigInt(ceiling)).toBeGreaterThan(0n)
    expect((await earningsOf(stack)).total).toMatchObject({
      requests: 3,
      earned: charged,
      vouchered: ceiling,
    })
    expect(after.balances.difference).toBe('0')
  })

  it.skipIf(!linux)('survives kill -9 of everything: chain, ledger and vouchers still balance', async () => {
    // What is on chain by now must survive as well as what is not yet.
    await channelStatus(stack, 'settle')
    const charged = await payFor(stack, 'Thank you')
    const before = await channelStatus(stack)
    const everything = descendantsOf(stack.child.pid ?? 0)
    // The supervisor, chain, gateway, worker and engine; the supervisor first, so that it starts nothing again.
    expect(everything.length).toBeGreaterThanOrEqual(5)
    for (const pid of everything) process.kill(pid, 'SIGKILL')
    await allGone(everything)
    stack = await startStack({ dir: stack.dir })
    const after = await channelStatus(stack)
    expect(charged).toBeGreaterThan(0n)
    expect(BigInt(clientChannel(before).charged) - BigInt(clientChannel(before).settled)).toBe(charged)
    expect(clientChannel(after)).toEqual(clientChannel(before))
    const { charged: earned, ceiling: vouchered } = workerChannel(after)
    expect((await earningsOf(stack)).total).toMatchObject({ requests: 4, earned, vouchered })
    expect(after.balances.difference).toBe('0')
  })

  it('closes: the charge is settled, the rest returned, and the key gets 402 once', async () => {
    const before = await channelStatus(stack)
    const report = await channelStatus(stack, 'close')
    expect(clientChannel(report).state).toBe('closed')
    expect(clientChannel(report).settled).toBe(clientChannel(before).charged)
    expect(report.balances.difference).toBe('0')
    const refused = await stack.post('/v1/chat/completions', {
      model: stack.ready.models[0],
      messages: [{ role: 'user', content: 'Hello' }],
    })
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([402, 'false'])
    expect((await bodyOf<ErrorBody>(refused)).error).toMatchObject({ code: 'insufficient_quota' })
  })
})
