import { describe, expect, it } from 'vitest'
import { channelSubject } from './channel.ts'
import { jettonSubject } from './jetton.ts'
import { registrySubject } from './registry.ts'
import { runModel, type Subject } from './run.ts'

/** Ten seconds of work, on a machine that may be busy with much else. */
const PATIENCE_MS = 600_000

/** About a thousand messages in all; `npm run model` sends as many as one likes. */
async function agree<Move>(subject: Subject<Move>, messages: number): Promise<void> {
  const { tally, failure } = await runModel(subject, { messages, seed: 1 })
  expect(failure).toBeUndefined()
  expect(tally.messages).toBeGreaterThanOrEqual(messages)
}

describe('random sequences of messages', () => {
  it(
    "to the TON channel: each exit, state, balance and payment is the model's",
    () => agree(channelSubject, 500),
    PATIENCE_MS,
  )

  it(
    'to the jetton channel: every jetton is accounted for, through locks, bounces, strays and closes',
    () => agree(jettonSubject, 300),
    PATIENCE_MS,
  )

  it(
    'to the registry: nothing but what the owners agreed on, and no change without a version',
    () => agree(registrySubject, 200),
    PATIENCE_MS,
  )
})
