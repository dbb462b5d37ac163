import { describe, expect, it } from 'vitest'
import { channelSubject } from './channel.ts'
import { runModel } from './run.ts'

/** About a thousand messages in all; `npm run model` sends as many as one likes. */
describe('random sequences of messages', () => {
  it("to the TON channel: each exit, state, balance and payment is the model's", async () => {
    const { tally, failure } = await runModel(channelSubject, { messages: 500, seed: 1 })
    expect(failure).toBeUndefined()
    expect(tally.messages).toBeGreaterThanOrEqual(500)
  })
})
