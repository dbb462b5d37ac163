import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromBase64, toBase64, toHex } from '../../attest/bytes.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import { CLOSE, type WorkerMessageOf } from '../../worker/protocol/link.ts'
import { answerRelayed, type FakeWorker, type FakeWorkerOptions } from './testing/fake-worker.ts'
import { TestGateway } from './testing/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await TestGateway.open()
})
afterEach(() => gateway.close())

const nonceOf = (fill: number) => new Uint8Array(32).fill(fill)

/** A worker that is joined, and its evidence as others may ask for it. */
async function joined(options: Partial<FakeWorkerOptions> = {}) {
  const worker = await gateway.join(options)
  const source = gateway.pool.sources().find(({ workerId }) => workerId === toHex(worker.boot.publicKey))
  if (!source) throw new Error('the worker is not there')
  return { worker, source }
}

const tickets = (worker: FakeWorker) => worker.heard.filter(({ type }) => type === 'attest-for').length

describe("a stranger's nonce", () => {
  it('comes back as evidence, each string as the worker wrote it', async () => {
    let sent: EvidenceBundle | undefined
    const { source } = await joined({
      bendEvidence: (bundle) => {
        sent = bundle
        return bundle
      },
    })
    expect(JSON.stringify(source.stapled)).toBe(JSON.stringify(sent))
    const evidence = await source.evidence(nonceOf(7))
    expect(evidence.nonce).toBe(toBase64(nonceOf(7)))
    expect(JSON.stringify(evidence)).toBe(JSON.stringify(sent))
  })

  it('is asked for once by several at the same time, others wait their turn, and a crowd is turned away', async () => {
    const gate = Promise.withResolvers<void>()
    const { worker, source } = await joined({
      relay: async (message, self) => {
        await gate.promise
        await answerRelayed(message, self)
      },
    })
    const first = [source.evidence(nonceOf(1)), source.evidence(nonceOf(1))]
    await worker.hear('attest-for')
    const others = Array.from({ length: 8 }, (_, i) => source.evidence(nonceOf(i + 2)))
    await expect(source.evidence(nonceOf(99))).rejects.toMatchObject({ relay: 'busy', retryMs: 1_000 })
    expect(tickets(worker)).toBe(1)
    gate.resolve()
    const [a, b] = await Promise.all(first)
    expect(a).toBe(b)
    const nonces = (await Promise.all(others)).map(({ nonce }) => fromBase64(nonce)[0])
    expect(nonces).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    expect(tickets(worker)).toBe(9)
  })

  it('is given up in time; the worker gets the next one only after its late answer', async () => {
    const gate = Promise.withResolvers<void>()
    const { worker, source } = await joined({
      relay: async (message, self) => {
        if (message.ticket === 1) await gate.promise
        await answerRelayed(message, self)
      },
    })
    const slow = [source.evidence(nonceOf(1)), source.evidence(nonceOf(2))]
    await worker.hear('attest-for')
    gateway.clock.advance(gateway.pool.limits.relayMs)
    for (const question of slow) await expect(question).rejects.toMatchObject({ relay: 'timeout' })
    await expect(source.evidence(nonceOf(3))).rejects.toMatchObject({ relay: 'busy' })
    gate.resolve()
    let again: EvidenceBundle | undefined
    while (!again) {
      again = await source.evidence(nonceOf(4)).catch(() => undefined)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(again.nonce).toBe(toBase64(nonceOf(4)))
    expect(tickets(worker)).toBe(2)
  })

  it('is answered with "gone" when the worker leaves, and after it left', async () => {
    const { source } = await joined({ relay: (_, self) => self.die() })
    const asked = [source.evidence(nonceOf(1)), source.evidence(nonceOf(2))]
    for (const question of asked) await expect(question).rejects.toMatchObject({ relay: 'gone' })
    await expect(source.evidence(nonceOf(3))).rejects.toMatchObject({ relay: 'gone' })
  })

  it('gets the word of a worker that has no evidence', async () => {
    const { source } = await joined({
      relay: ({ ticket }, self) =>
        self.say({ type: 'no-evidence-for', ticket, code: 'rate_limited', retryMs: 4_200 }),
    })
    const expected = { relay: 'rate_limited', retryMs: 4_200 }
    await expect(source.evidence(nonceOf(1))).rejects.toMatchObject(expected)
  })

  const wrong: [string, (bundle: EvidenceBundle) => Record<string, unknown>][] = [
    ['no bundle', () => ({ anything: 1 })],
    ['a bundle with a field more', (bundle) => ({ ...bundle, extra: 1 })],
    ['evidence over another nonce', (bundle) => ({ ...bundle, nonce: toBase64(nonceOf(8)) })],
  ]
  it.each(wrong)('is not answered with %s, and the link lives on', async (_, bend) => {
    const { source } = await joined({
      relay: async ({ ticket, nonce }, self) => {
        const { bundle } = await self.evidence(fromBase64(nonce))
        self.say({ type: 'evidence-for', ticket, evidence: ticket === 1 ? bend(bundle) : bundle })
      },
    })
    await expect(source.evidence(nonceOf(1))).rejects.toMatchObject({ relay: 'malformed' })
    expect((await source.evidence(nonceOf(2))).nonce).toBe(toBase64(nonceOf(2)))
  })

  it.each([
    ['that nobody asked for', 1],
    ['under another ticket', 7],
  ])('evidence %s closes the link', async (_, ticket) => {
    const { worker, source } = await joined({ relay: () => {} })
    if (ticket === 7) void source.evidence(nonceOf(1)).catch(() => {})
    worker.say({ type: 'evidence-for', ticket, evidence: {} })
    expect((await worker.closed).code).toBe(CLOSE.unexpected_message)
  })
})

describe('evidence that was made for a stranger', () => {
  it("lets nobody join, although it answers the gateway's own challenge", async () => {
    const { source } = await joined()
    // The thief has a connection of its own and hands its challenge to the public route.
    const bend = async (join: WorkerMessageOf<'join'>, thief: FakeWorker) => {
      const { nonce } = await thief.hear('challenge')
      return { ...join, evidence: { ...(await source.evidence(fromBase64(nonce))) } }
    }
    const thief: FakeWorker = await gateway.dial({ bendJoin: (join) => bend(join, thief) })
    expect(await thief.hear('refused')).toMatchObject({ code: 'signature' })
    expect(gateway.pool.sources()).toHaveLength(1)
  })

  it('attests no epoch of another worker', async () => {
    const { source } = await joined()
    let stealing = false
    const thief = await gateway.join({
      bendEvidence: (own) => (stealing ? source.evidence(fromBase64(own.nonce)) : own),
    })
    stealing = true
    thief.say({ type: 'attest-request' })
    expect((await thief.hear('refused')).code).toBe('signature')
  })
})

it('evidence that is too large to be kept is there for a nonce only', async () => {
  await gateway.close()
  gateway = await TestGateway.open({ limits: { maxStapledBytes: 100 } })
  const { source } = await joined()
  expect(source.stapled).toBeUndefined()
  expect((await source.evidence(nonceOf(1))).nonce).toBe(toBase64(nonceOf(1)))
})
