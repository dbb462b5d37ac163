import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../../attest/bytes.ts'
import { type ReceiptStatement, signReceipt } from '../../attest/receipt/index.ts'
import { FRAME } from '../../attest/seal/index.ts'
import { ApiError } from '../../worker/protocol/errors.ts'
import type { FinalChanges, Job } from '../link/testing/job.ts'
import { mostContent } from './content.ts'
import type { DispatchRequest } from './index.ts'
import { type Books, Harness, openBooks, textOf } from './testing/harness.ts'

let books: Books
let harness: Harness
beforeAll(async () => {
  books = await openBooks()
  harness = await Harness.open(books)
})
afterAll(async () => {
  await harness.close()
  await books.ledger.audit()
  await books.close()
})

interface Seen {
  texts: string[]
  error: ApiError | undefined
  charged: bigint
}

/** One request at a new worker that is served in the given way; what a client sees and pays. */
async function serve(
  script: (job: Job) => Promise<void>,
  changes: Partial<DispatchRequest> = {},
): Promise<Seen & { cut: boolean }> {
  const before = await harness.account()
  const worker = await harness.gateway.join({ slots: 1, serve: script })
  const texts: string[] = []
  let error: ApiError | undefined
  try {
    const response = await harness.dispatch(changes)
    for await (const event of response.events) texts.push(textOf(event))
  } catch (reason) {
    expect(reason).toBeInstanceOf(ApiError)
    error = reason as ApiError
  }
  const after = await harness.account()
  expect(after.reserved).toBe(0n)
  const cut = harness.gateway.logged('worker cut off').some(({ boot }) => boot === worker.boot.bootId)
  worker.die()
  await harness.gateway.until(() => harness.gateway.pool.workers().length === 0)
  return { texts, error, charged: after.charged - before.charged, cut }
}

const INTEGRITY = { status: 502, apiCode: 'upstream_integrity' }
const WORDS = ['a', 'b', 'c']

/** A right answer as units, with a valid partial receipt after the first event: 5 prompt tokens and 1 of output. */
async function units(job: Job, changes: FinalChanges = {}): Promise<Uint8Array[]> {
  const all = [job.sealer.start(), ...WORDS.map((word) => job.event(word))]
  return [...all, job.final(changes)]
}

async function sendAll(job: Job, all: readonly Uint8Array[]): Promise<void> {
  for (const unit of all) await job.send(unit)
  job.end()
}

describe('frames that were touched', () => {
  it('the untouched answer passes (so that the others fail for their reason)', async () => {
    const seen = await serve(async (job) => sendAll(job, await units(job)))
    expect(seen).toEqual({ texts: WORDS, error: undefined, charged: 14n, cut: false })
  })

  it('any flipped byte is an error event, never a quiet end, and only what held was shown', async () => {
    const where = fc.record({
      unit: fc.nat(4),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      bit: fc.nat(7),
    })
    const property = fc.asyncProperty(where, async ({ unit, at, bit }) => {
      const seen = await serve(async (job) => {
        const all = await units(job)
        const bytes = all[unit] ?? new Uint8Array(1)
        const index = Math.min(bytes.length - 1, Math.floor(at * bytes.length))
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
        await sendAll(job, all)
      })
      expect(seen.error).toMatchObject(INTEGRITY)
      expect(seen.texts).toEqual(WORDS.slice(0, Math.min(3, Math.max(0, unit - 1))))
      expect(seen).toMatchObject({ charged: 0n, cut: true })
    })
    await fc.assert(property, { numRuns: 25, examples: [[{ unit: 1, at: 0, bit: 7 }]] })
  })

  const rearranged: Record<string, (all: Uint8Array[]) => Uint8Array[]> = {
    'a dropped frame': (all) => all.filter((_, i) => i !== 2),
    'a dropped head': (all) => all.slice(1),
    'a repeated frame': ([head, a, ...rest]) => [head, a, a, ...rest] as Uint8Array[],
    'two frames in the wrong order': ([head, a, b, ...rest]) => [head, b, a, ...rest] as Uint8Array[],
    'a cut before the final frame': (all) => all.slice(0, -1),
    'a cut within the final frame': (all) => [
      ...all.slice(0, -1),
      (all.at(-1) ?? new Uint8Array()).slice(0, 100),
    ],
    'bytes after the final frame, in its unit': (all) => [
      ...all.slice(0, -1),
      new Uint8Array([...(all.at(-1) ?? []), 0]),
    ],
    'nothing at all': () => [],
  }
  for (const [name, rearrange] of Object.entries(rearranged)) {
    it(name, async () => {
      const seen = await serve(async (job) => sendAll(job, rearrange(await units(job))))
      expect(seen.error).toMatchObject(INTEGRITY)
      expect(seen).toMatchObject({ charged: 0n, cut: true })
      expect(WORDS.join().startsWith(seen.texts.join())).toBe(true)
    })
  }

  it('frames of another request', async () => {
    const kept: Uint8Array[] = []
    await serve(async (job) => {
      kept.push(...(await units(job)))
      await sendAll(job, kept)
    })
    const seen = await serve((job) => sendAll(job, kept))
    expect(seen).toMatchObject({ texts: [], charged: 0n, cut: true, error: INTEGRITY })
  })
})

describe('content that is not what the face may frame', () => {
  const events: Record<string, string> = {
    'the end of a stream': '[DONE]',
    'an event within an event': '{"text":"b"}\n\ndata: [DONE]',
    'a carriage return': '{"text":\r"b"}',
    'no JSON': '{"text":"b"',
    'JSON that is no object': '"b"',
    nothing: '',
  }
  for (const [name, content] of Object.entries(events)) {
    it(`an event that holds ${name}`, async () => {
      const seen = await serve(async (job) => {
        await job.start()
        await job.send(job.event('a'))
        job.partial()
        await job.send(job.sealer.frame(FRAME.event, utf8(content)))
        await job.finish()
      })
      expect(seen).toMatchObject({ texts: ['a'], error: INTEGRITY, charged: 8n, cut: true })
    })
  }

  it('an event that is not UTF-8', async () => {
    const seen = await serve(async (job) => {
      await job.start()
      await job.send(job.sealer.frame(FRAME.event, new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])))
      await job.finish()
    })
    expect(seen).toMatchObject({ texts: [], error: INTEGRITY, charged: 0n, cut: true })
  })

  const bodies: Record<string, string[]> = {
    'no body at all': [],
    'an empty body': [''],
    'half a body': ['{"text":'],
    'a body that is no object': ['[1]'],
    'two documents': ['{"a":1}', '{"b":2}'],
  }
  for (const [name, pieces] of Object.entries(bodies)) {
    it(`${name} for a request that is not streamed`, async () => {
      const seen = await serve(
        async (job) => {
          await job.start()
          for (const piece of pieces) await job.send(job.sealer.frame(FRAME.body, utf8(piece)))
          await job.finish()
        },
        { stream: false },
      )
      expect(seen).toMatchObject({ error: INTEGRITY, charged: 0n, cut: true })
    })
  }

  it('frames of the other kind', async () => {
    const whole = await serve(async (job) => {
      await job.start()
      await job.send(job.sealer.frame(FRAME.body, utf8('{}')))
      await job.finish()
    })
    const streamed = await serve(async (job) => sendAll(job, await units(job)), { stream: false })
    for (const seen of [whole, streamed])
      expect(seen).toMatchObject({ texts: [], error: INTEGRITY, charged: 0n, cut: true })
  })

  for (const stream of [true, false]) {
    it(`more than the request can be charged for, ${stream ? 'streamed' : 'whole'}`, async () => {
      const limits = { stream, maxPromptTokens: 50, maxOutputTokens: 1, n: 1 }
      const most = mostContent({ ...limits, bodyBytes: harness.request().body.length })
      expect(most).toBeLessThan(1024 * 1024)
      const piece = utf8(JSON.stringify({ text: 'x'.repeat(50_000) }))
      let passed = 0
      const seen = await serve(async (job) => {
        await job.start()
        while (job.sent * piece.length < most * 3) {
          if (!(await job.send(job.sealer.frame(stream ? FRAME.event : FRAME.body, piece)))) return
          passed = job.sent
        }
        await job.finish()
      }, limits)
      expect(passed).toBeGreaterThan(0)
      expect(seen).toMatchObject({ error: INTEGRITY, charged: 0n, cut: true })
      expect(seen.texts).toHaveLength(Math.floor(most / piece.length))
    })
  }
})

describe('final receipts that do not add up', () => {
  const other = generateKeyPairSync('ed25519').privateKey
  const statements: Record<string, Partial<ReceiptStatement>> = {
    'one nanoton too much': { clientCharge: '15' },
    'one nanoton too little': { clientCharge: '13' },
    'too much for the worker': { workerCharge: '12' },
    'more than was reserved': { clientCharge: '999999' },
    'another request': { requestId: 'another-request' },
    'another context': { h: '00'.repeat(32) },
    'another authorization': { authHash: '00'.repeat(32) },
    'another transcript': { transcript: '00'.repeat(32) },
    'other claims': { claimsDigest: '00'.repeat(32) },
    'another model': { model: { id: 'tiny', sha256: 'cd'.repeat(32) } },
    'another price list': { quoteDigest: '00'.repeat(32) },
    'another TEE': { tee: 'tdx' },
    'another payer': { payerKind: 'channel' },
    'a status that contradicts the answer': { status: 'partial' },
  }
  const frames: Record<string, (job: Job) => Record<string, unknown>> = {
    'another transcript beside it': () => ({ transcript: '00'.repeat(32) }),
    'details that it does not commit to': () => ({ blind: Buffer.alloc(32).toString('base64') }),
    'usage other than what it signs': () => ({ usage: { prompt_tokens: 5, completion_tokens: 4 } }),
    'a finish reason other than what it signs': () => ({ finishReason: 'length' }),
    'a field that nobody knows': () => ({ extra: 1 }),
    'an error status without an error': () => ({ status: 500 }),
    'a signature by another key': (job) => {
      const { ctx, h, authHash } = job.opened
      const statement = {
        requestId: ctx.requestId,
        h: toHex(h),
        authHash: toHex(authHash),
        claimsDigest: ctx.claimsDigest,
        transcript: toHex(job.sealer.transcript()),
        model: ctx.model,
        quoteDigest: ctx.quoteDigest,
        clientCharge: '14',
        workerCharge: '11',
        status: 'complete' as const,
        tee: ctx.tee,
        payerKind: ctx.payer.kind,
        issuedAt: 3,
      }
      return { receipt: signReceipt(statement, job.details, new Uint8Array(32), other) }
    },
  }
  const changes: [string, (job: Job) => FinalChanges][] = [
    ...Object.entries(statements).map(
      ([name, statement]) => [name, () => ({ statement })] as [string, () => FinalChanges],
    ),
    ...Object.entries(frames).map(
      ([name, make]) => [name, (job: Job) => ({ frame: make(job) })] as [string, (job: Job) => FinalChanges],
    ),
  ]
  for (const [name, change] of changes) {
    it(`${name}: an error, charged by the last partial receipt that held`, async () => {
      const seen = await serve(async (job) => {
        await job.start()
        await job.send(job.event('a'))
        job.partial()
        for (const word of ['b', 'c']) await job.send(job.event(word))
        await job.finish(change(job))
      })
      expect(seen.error).toMatchObject(INTEGRITY)
      expect(seen).toMatchObject({ texts: WORDS, charged: 8n, cut: true })
    })
  }

  it('counts beyond what the request allows', async () => {
    const seen = await serve(async (job) => {
      job.details.promptTokens = 51
      await job.answer(['a'])
    })
    expect(seen).toMatchObject({ error: INTEGRITY, charged: 0n, cut: true })
  })
})

describe('partial receipts that do not hold', () => {
  const bad: Record<string, (job: Job) => void> = {
    'more than was reserved': (job) => job.partial({ clientCharge: '999999' }),
    'frames that never came': (job) => {
      job.event('unsent')
      job.partial()
    },
    'less than the one before': (job) => job.partial({ clientCharge: '7' }),
    'complete in mid-stream': (job) => job.partial({ status: 'complete' }),
    'another request': (job) => job.partial({ requestId: 'another-request' }),
  }
  for (const [name, act] of Object.entries(bad)) {
    it(`${name}: an error, charged by the one before`, async () => {
      const seen = await serve(async (job) => {
        await job.start()
        await job.send(job.event('a'))
        job.partial()
        await job.send(job.event('b'))
        act(job)
      })
      expect(seen).toMatchObject({ texts: ['a', 'b'], error: INTEGRITY, charged: 8n, cut: true })
    })
  }

  it('a receipt before the response has begun', async () => {
    const seen = await serve(async (job) => {
      job.sealer.start()
      job.partial()
    })
    expect(seen).toMatchObject({ texts: [], error: INTEGRITY, charged: 0n, cut: true })
  })
})

it('a worker that was cut off is refused for a while, then let in again', async () => {
  const worker = await harness.gateway.join({ serve: (job) => sendAll(job, []) })
  const { boot } = worker
  await harness.dispatch().catch(() => {})
  await worker.closed
  const again = await harness.gateway.dial({ boot })
  expect((await again.hear('refused')).code).toBe('busy')
  books.clock.advance(61_000)
  await harness.gateway.join({ boot, serve: (job) => job.answer(['fine']) })
})
