import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, toHex } from '../../attest/bytes.ts'
import {
  CHUNK,
  decodeChunk,
  encodeChunk,
  type GatewayMessage,
  joinMessage,
  LINK_LIMITS,
  LINK_VERSIONS,
  LinkError,
  negotiate,
  parseGatewayMessage,
  parseWorkerMessage,
  peekVersions,
  reattestMessage,
  type WorkerMessage,
} from './index.ts'

const nonce = Buffer.alloc(32, 7).toString('base64')
const signature = Buffer.alloc(64, 9).toString('base64')
const receipt = {
  payload: Buffer.from('{"v":1}').toString('base64url'),
  signature: Buffer.alloc(64, 3).toString('base64url'),
}
const address = `0:${'ab'.repeat(32)}`
const prices = { prompt: '1', cached: '0', completion: '2', reasoning: '2' }

const fromGateway: GatewayMessage[] = [
  {
    type: 'challenge',
    versions: { min: 2, max: 2 },
    nonce,
    gatewayId: 'gateway.example',
    time: 1_700_000_000_000,
  },
  {
    type: 'welcome',
    version: 2,
    session: 'session-0001',
    gateway: { evidence: { format: 'chrysalis/evidence/1' } },
    quotes: [Buffer.from('{}').toString('base64')],
    payment: {
      channel: address,
      globalId: -217,
      codeHash: '00'.repeat(32),
      params: {
        payer: address,
        payee: address,
        voucherKey: '01'.repeat(32),
        payeeKey: '02'.repeat(32),
        challengeSeconds: 3600,
        openUntil: 1_800_000_000,
        salt: '03'.repeat(32),
      },
      voucher: { ceiling: '5', signature },
    },
    heartbeatMs: 15_000,
    signature,
  },
  { type: 'refused', code: 'evidence', factors: ['quote.signature'], reason: 'the quote does not verify' },
  { type: 'cancel', stream: 1 },
  { type: 'credit', stream: 4_294_967_295, frames: 32 },
  { type: 'ack', requestIds: ['abcdefgh'] },
  { type: 'voucher', channel: address, ceiling: '1000', signature },
  { type: 'attest', nonce },
  { type: 'attested', epochId: '0f'.repeat(16) },
  { type: 'drain' },
  { type: 'attest-for', ticket: 1, nonce },
]

const fromWorker: WorkerMessage[] = [
  {
    type: 'join',
    version: 2,
    versions: { min: 2, max: 2 },
    nonce,
    evidence: { format: 'chrysalis/evidence/1' },
    signature,
    prices: [{ model: 'm', prices }],
    capacity: { slots: 4 },
    payoutKey: '04'.repeat(32),
  },
  { type: 'receipt', requestId: 'abcdefgh', stream: 1, receipt, final: false },
  { type: 'end', stream: 1 },
  { type: 'end', stream: 1, hint: 'epoch_unknown' },
  { type: 'held', receipts: [{ requestId: 'abcdefgh', receipt, final: true }], done: true },
  { type: 'held', receipts: [], done: true, voucher: { ceiling: '7', signature } },
  { type: 'attest-request' },
  { type: 'evidence', evidence: {}, signature },
  { type: 'heartbeat', active: 1, queued: 0 },
  { type: 'draining' },
  { type: 'evidence-for', ticket: 1, evidence: {} },
  { type: 'no-evidence-for', ticket: 4_294_967_295, code: 'rate_limited', retryMs: 1_000 },
]

function closeName(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof LinkError) return error.closeName
    throw error
  }
  return 'accepted'
}

test('every message is read back as it was written', () => {
  for (const message of fromGateway) expect(parseGatewayMessage(JSON.stringify(message))).toEqual(message)
  for (const message of fromWorker) expect(parseWorkerMessage(JSON.stringify(message))).toEqual(message)
})

test('a field more, a field less or the other direction is malformed', () => {
  for (const [messages, parse, other] of [
    [fromGateway, parseGatewayMessage, parseWorkerMessage],
    [fromWorker, parseWorkerMessage, parseGatewayMessage],
  ] as const) {
    for (const message of messages) {
      expect(closeName(() => parse(JSON.stringify({ ...message, extra: 1 })))).toBe('malformed_message')
      expect(closeName(() => other(JSON.stringify(message)))).toBe('malformed_message')
      for (const field of Object.keys(message)) {
        if (['hint', 'payoutKey'].includes(field) || (message.type === 'held' && field === 'voucher'))
          continue
        const { [field as 'type']: _, ...rest } = message
        expect(
          closeName(() => parse(JSON.stringify(rest))),
          `${message.type} without ${field}`,
        ).toBe('malformed_message')
      }
    }
  }
})

test.each([
  ['not JSON', '{'],
  ['a number', '5'],
  ['an array', '[]'],
  ['stream 0', JSON.stringify({ type: 'cancel', stream: 0 })],
  ['stream 2^32', JSON.stringify({ type: 'cancel', stream: 2 ** 32 })],
  ['too much credit', JSON.stringify({ type: 'credit', stream: 1, frames: 5000 })],
  ['short nonce', JSON.stringify({ type: 'attest', nonce: 'AAAA' })],
  [
    'base64url nonce',
    JSON.stringify({ type: 'attest', nonce: Buffer.alloc(32, 0xff).toString('base64url') }),
  ],
  ['a lone surrogate', JSON.stringify({ type: 'refused', code: 'terms', factors: [], reason: 'no \ud800' })],
  ['negative ceiling', JSON.stringify({ type: 'voucher', channel: address, ceiling: '-1', signature })],
])('refused: %s', (_name, text) => {
  expect(closeName(() => parseGatewayMessage(text))).toBe('malformed_message')
})

test('an error names the place and never the value', () => {
  try {
    parseGatewayMessage(JSON.stringify({ type: 'ack', requestIds: ['canary word'] }))
    expect.unreachable()
  } catch (error) {
    expect((error as LinkError).message).toContain('requestIds.0')
    expect((error as LinkError).message).not.toContain('canary')
    expect((error as LinkError).code).toBe('ERR_LINK_MALFORMED_MESSAGE')
  }
})

test('oversize text is refused before it is parsed', () => {
  expect(closeName(() => parseWorkerMessage(' '.repeat(LINK_LIMITS.maxMessageBytes + 1)))).toBe(
    'limit_exceeded',
  )
})

test('property: damaged messages are accepted or refused with a LinkError, nothing else', () => {
  const texts = [...fromGateway, ...fromWorker].map((message) => JSON.stringify(message))
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.nat(),
      fc.string({ maxLength: 3 }),
      fc.nat(8),
      (text, at, insert, cut) => {
        const place = at % text.length
        const damaged = text.slice(0, place) + insert + text.slice(place + cut)
        for (const parse of [parseGatewayMessage, parseWorkerMessage]) closeName(() => parse(damaged))
        peekVersions(damaged)
      },
    ),
    { numRuns: 500 },
  )
})

describe('binary messages', () => {
  test('property: round trip', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(CHUNK.request, CHUNK.lastRequest, CHUNK.response),
        fc.integer({ min: 1, max: 0xffffffff }),
        fc.uint8Array({ maxLength: 300 }),
        (kind, stream, payload) => {
          expect(decodeChunk(encodeChunk(kind, stream, payload))).toEqual({ kind, stream, payload })
        },
      ),
    )
  })

  test('kinds, length, stream 0', () => {
    const good = encodeChunk(CHUNK.request, 1, new Uint8Array(3))
    for (const wrong of [
      new Uint8Array(0),
      good.subarray(0, 4),
      Uint8Array.of(0, 0, 0, 0, 1),
      Uint8Array.of(4, 0, 0, 0, 1),
      Uint8Array.of(1, 0, 0, 0, 0),
    ]) {
      expect(closeName(() => decodeChunk(wrong))).toBe('malformed_message')
    }
    const tooLong = new Uint8Array(LINK_LIMITS.maxChunkBytes + 6)
    tooLong.set(good)
    expect(closeName(() => decodeChunk(tooLong))).toBe('limit_exceeded')
    expect(
      closeName(() => encodeChunk(CHUNK.request, 1, new Uint8Array(LINK_LIMITS.maxChunkBytes + 1))),
    ).toBe('limit_exceeded')
  })

  test('a payload is read from a view in the middle of a buffer', () => {
    const chunk = encodeChunk(CHUNK.response, 258, Uint8Array.of(5, 6))
    const padded = new Uint8Array(chunk.length + 8)
    padded.set(chunk, 4)
    expect(decodeChunk(padded.subarray(4, 4 + chunk.length))).toEqual({
      kind: 3,
      stream: 258,
      payload: Uint8Array.of(5, 6),
    })
  })
})

test('versions: the highest common one, or none', () => {
  expect(negotiate({ min: 1, max: 1 }, { min: 1, max: 1 })).toBe(1)
  expect(negotiate({ min: 1, max: 3 }, { min: 2, max: 9 })).toBe(3)
  expect(negotiate({ min: 1, max: 1 }, { min: 2, max: 3 })).toBeUndefined()
  expect(negotiate({ min: 4, max: 5 }, { min: 2, max: 3 })).toBeUndefined()
  expect(negotiate(LINK_VERSIONS, { min: 1, max: 9 })).toBe(2)
  expect(negotiate(LINK_VERSIONS, { min: 1, max: 1 })).toBeUndefined()
})

test('the versions of a challenge of another time can still be read', () => {
  const later = { type: 'challenge', versions: { min: 7, max: 9 }, nonce: 5, something: 'new' }
  expect(peekVersions(JSON.stringify(later))).toEqual({ min: 7, max: 9 })
  expect(peekVersions(JSON.stringify({ ...later, type: 'welcome' }))).toBeUndefined()
  expect(peekVersions('{')).toBeUndefined()
})

test('signed messages have their own labels and fixed lengths', () => {
  const [a, b, c] = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const join = joinMessage({ challengeNonce: a, workerNonce: b, claimsDigest: c, payoutKey: undefined })
  expect(join).toHaveLength('chrysalis/join/1'.length + 1 + 5 * 32)
  expect(join.subarray(-64)).toEqual(new Uint8Array(64))
  expect(
    joinMessage({
      challengeNonce: a,
      workerNonce: b,
      claimsDigest: c,
      payoutKey: toHex(b),
      tlsExporter: a,
    }).subarray(-64),
  ).toEqual(concat(b, a))
  expect(reattestMessage(a, c)).toHaveLength('chrysalis/reattest/1'.length + 1 + 64)
  expect(() =>
    joinMessage({ challengeNonce: a, workerNonce: b, claimsDigest: c.subarray(1), payoutKey: undefined }),
  ).toThrow(LinkError)
})
