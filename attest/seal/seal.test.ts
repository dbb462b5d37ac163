import { sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, u32be, utf8 } from '../bytes.ts'
import { SealError } from './errors.ts'
import { openSealed } from './open.ts'
import { seal } from './seal.ts'
import { CLAIMS_DIGEST, codeOf, type Fixture, fixedKey, fixture, plaintextCipher } from './testing.ts'

const flip = (bytes: Uint8Array, at: number, bit = 0): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ (1 << bit)
  return copy
}

const contextLength = (request: Uint8Array): number =>
  new DataView(request.buffer, request.byteOffset).getUint32(0)

const frameBytes = (request: Uint8Array): number =>
  request.length - 4 - contextLength(request) - 1120 - 64 - 32

const openWith = (f: Fixture, changes: Partial<Parameters<typeof openSealed>[1]>) => (request: Uint8Array) =>
  openSealed(request, { epochs: f.epochs, authKey: () => f.payer.publicKey, now: f.clock.now, ...changes })

describe('a sealed request', () => {
  it('gives back any body, in a request that fills a bucket', async () => {
    const f = await fixture()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (body) => {
        const { request, ctx, h, requestHash, authHash } = await f.seal(body)
        expect(Math.log2(frameBytes(request) / 1024) % 1).toBe(0)
        const opened = await f.open(request)
        expect(Buffer.compare(opened.body, body)).toBe(0)
        expect(opened.ctx).toEqual(ctx)
        expect([opened.h, opened.requestHash, opened.authHash]).toEqual([h, requestHash, authHash])
      }),
      { numRuns: 12 },
    )
  })

  it.each([
    [0, 'bucket'],
    [0, 'off'],
    [262_118, 'off'],
    [262_119, 'off'],
    [262_120, 'off'],
    [262_119, 'bucket'],
    [521_700, 'bucket'],
    [522_000, 'bucket'],
    [1_046_000, 'bucket'],
    [2_000_000, 'bucket'],
    [2_100_000, 'bucket'],
    [4_190_000, 'bucket'],
  ] as const)('gives back %d bytes with padding %s', async (length, padding) => {
    const f = await fixture()
    const body = new Uint8Array(length).fill(5)
    const responseMode = { stream: false, padding, cadence: 0 } as const
    const { request } = await f.seal(body, { responseMode })
    expect(request.length).toBeLessThanOrEqual(4 * 1024 * 1024)
    const largest = request.length === 4 * 1024 * 1024
    if (padding === 'bucket' && !largest) expect(Math.log2(frameBytes(request) / 1024) % 1).toBe(0)
    expect(Buffer.compare((await f.open(request)).body, body)).toBe(0)
  })

  it('has a size that depends on the bucket alone, whatever the length of its context', async () => {
    const f = await fixture()
    for (const requestId of ['r', 'r'.repeat(100)]) {
      const sizes: number[] = []
      for (const length of [0, 500, 999, 1000]) {
        const { request } = await f.seal(new Uint8Array(length), { requestId })
        sizes.push(frameBytes(request))
      }
      expect(sizes).toEqual([1024, 1024, 1024, 2048])
    }
  })

  it('hides the body, and shows it when the cipher is replaced in code', async () => {
    const f = await fixture()
    const canary = utf8('canary-in-a-prompt')
    const sealed = await f.seal(canary)
    expect(Buffer.from(sealed.request).includes(Buffer.from(canary))).toBe(false)
    const bare = await f.seal(canary, {}, { cipher: plaintextCipher })
    expect(Buffer.from(bare.request).includes(Buffer.from(canary))).toBe(true)
    const opened = await f.open(bare.request, { cipher: plaintextCipher })
    const responder = opened.respond()
    const units = [responder.start(), responder.frame(1, canary), responder.final(utf8('{}'))]
    expect(Buffer.concat(units).includes(Buffer.from(canary))).toBe(true)
    expect(bare.open.push(concat(...units)).map((frame) => frame.type)).toEqual([1, 3])
    bare.open.end()
    const other = await f.seal(canary, {}, { cipher: plaintextCipher })
    expect(await codeOf(() => f.open(other.request))).toBe('ERR_FRAME')
  })

  it('is refused with any bit flipped, and its original still opens afterwards', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('{"a":1}'))
    const start = 4 + contextLength(request)
    const spots = [0, 1, 2, 3, 4, 5, start - 1, start, start + 500, start + 1087, start + 1088, start + 1119]
    spots.push(
      start + 1120,
      start + 1152,
      start + 1183,
      start + 1184,
      start + 1215,
      start + 1216,
      start + 1219,
    )
    spots.push(start + 1220, start + 1236, start + 1240, request.length - 1)
    for (let at = 7; at < start; at += 97) spots.push(at)
    for (const at of spots) {
      const code = await codeOf(() => f.open(flip(request, at, at % 8)))
      expect([at, code]).toEqual([at, expect.stringMatching(/^ERR_(SEAL|EPOCH|FRAME|STREAM)/)])
    }
    expect((await f.open(request)).body).toEqual(utf8('{"a":1}'))
  })

  it('is refused when cut anywhere and when anything follows', async () => {
    const f = await fixture()
    const { request } = await f.seal(new Uint8Array(300_000))
    const start = 4 + contextLength(request)
    for (const length of [0, 3, 4, 100, start, start + 1120, start + 1184, start + 1216, start + 1300]) {
      const code = await codeOf(() => f.open(request.subarray(0, length)))
      expect(code).toMatch(/^ERR_(SEAL_MALFORMED|STREAM_TRUNCATED)$/)
    }
    expect(await codeOf(() => f.open(request.subarray(0, start + 1216 + 262_144)))).toBe(
      'ERR_STREAM_TRUNCATED',
    )
    expect(await codeOf(() => f.open(request.subarray(0, request.length - 1)))).toBe('ERR_STREAM_TRUNCATED')
    expect(await codeOf(() => f.open(concat(request, new Uint8Array(1))))).toBe('ERR_STREAM_TRAILING')
    expect(await codeOf(() => f.open(request))).toBe('no error')
  })

  it('is refused when its context was changed and hashed anew by a relay', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'))
    const text = Buffer.from(request)
      .toString('latin1')
      .replace('"maxCharge":"1000000"', '"maxCharge":"9000000"')
    expect(await codeOf(() => f.open(Buffer.from(text, 'latin1')))).toBe('ERR_SEAL_AUTH')
  })

  it('is refused when its auth or its enc comes from another seal', async () => {
    const f = await fixture()
    const a = (await f.seal(utf8('x'), { requestId: 'a' })).request
    const b = (await f.seal(utf8('x'), { requestId: 'b' })).request
    const start = 4 + contextLength(a)
    const swap = (from: number, to: number) =>
      concat(a.subarray(0, from), b.subarray(from, to), a.subarray(to))
    expect(await codeOf(() => f.open(swap(start + 1120, start + 1184)))).toBe('ERR_SEAL_AUTH')
    expect(await codeOf(() => f.open(swap(start, start + 1120)))).toBe('ERR_SEAL_AUTH')
    expect(await codeOf(() => f.open(swap(start, start + 1184)))).toBe('ERR_SEAL_AUTH')
    expect(await codeOf(() => f.open(swap(start + 1184, start + 1216)))).toBe('ERR_SEAL_COMMITMENT')
    expect(await codeOf(() => f.open(swap(start + 1216, a.length)))).toBe('ERR_FRAME')
  })

  it('is refused before any cryptography when a length is over its limit', async () => {
    const f = await fixture()
    let asked = false
    const open = openWith(f, {
      authKey: () => {
        asked = true
        return f.payer.publicKey
      },
    })
    expect(await codeOf(() => open(new Uint8Array(4 * 1024 * 1024 + 1)))).toBe('ERR_SEAL_TOO_LARGE')
    expect(await codeOf(() => open(u32be(16_385)))).toBe('ERR_SEAL_TOO_LARGE')
    expect(await codeOf(() => open(u32be(0xffff_ffff)))).toBe('ERR_SEAL_TOO_LARGE')
    const { request } = await f.seal(utf8('x'))
    expect(await codeOf(() => openWith(f, { limits: { requestBytes: 1024 } })(request))).toBe(
      'ERR_SEAL_TOO_LARGE',
    )
    expect(await codeOf(() => openWith(f, { limits: { contextBytes: 100 } })(request))).toBe(
      'ERR_SEAL_TOO_LARGE',
    )
    expect(asked).toBe(false)
    expect(await codeOf(() => f.seal(new Uint8Array(4_194_000)))).toBe('ERR_SEAL_TOO_LARGE')
  })

  it('fails as SealError on any bytes whatsoever', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'))
    const start = 4 + contextLength(request)
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => concat(u32be(Math.min(bytes.length, 50)), bytes)),
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => concat(request.subarray(0, start), bytes)),
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => concat(request.subarray(0, start + 1216), bytes)),
    )
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        await expect(f.open(bytes)).rejects.toThrow(SealError)
      }),
      { numRuns: 120 },
    )
  })

  it('opens at an unaligned offset of a larger buffer', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'))
    const buffer = concat(new Uint8Array(3), request)
    expect(await codeOf(() => f.open(buffer.subarray(3)))).toBe('no error')
  })
})

describe('who may open and who may spend', () => {
  it('refuses an auth by another key, by no key and by a key of small order', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'))
    for (const key of [fixedKey(9).publicKey, undefined, new Uint8Array(32), new Uint8Array(31)]) {
      expect(await codeOf(() => openWith(f, { authKey: () => key })(request))).toBe('ERR_SEAL_AUTH')
    }
    expect(await codeOf(() => f.open(request))).toBe('no error')
  })

  it('refuses to send a seal whose signer returns no signature', async () => {
    const f = await fixture()
    const { id, publicKey, notAfter } = f.epochs.current()
    const options = {
      epoch: { id, publicKey, notAfter, claimsDigest: CLAIMS_DIGEST },
      context: f.context(),
      body: utf8('x'),
      now: f.clock.now,
    }
    expect(await codeOf(() => seal({ ...options, sign: () => new Uint8Array(0) }))).toBe('ERR_SEAL_AUTH')
    const wrongId = { ...options.epoch, id: '00'.repeat(16) }
    const signer = (message: Uint8Array) => sign(null, message, f.payer.privateKey)
    expect(await codeOf(() => seal({ ...options, epoch: wrongId, sign: signer }))).toBe('ERR_EPOCH_UNKNOWN')
  })

  it('refuses the key of another epoch, unknown epochs and claims that are not bound', async () => {
    const f = await fixture()
    const other = await fixture()
    const { request } = await other.seal(utf8('x'))
    expect(await codeOf(() => f.open(request))).toBe('ERR_EPOCH_UNKNOWN')
    // A finder that answers with the wrong epoch still cannot open it.
    const lying = { find: () => f.epochs.current() }
    expect(await codeOf(() => openWith(f, { epochs: lying })(request))).not.toBe('no error')
    const bound = f.epochs.current()
    expect(() => bound.bindClaims(new Uint8Array(32))).toThrow(/new epoch/)
    const mine = (await f.seal(utf8('x'))).request
    const unbound = {
      id: bound.id,
      replay: bound.replay,
      usedRequests: bound.usedRequests,
      claimsDigest: undefined,
    }
    const epochs = { find: () => unbound as unknown as typeof bound }
    expect(await codeOf(() => openWith(f, { epochs })(mine))).toBe('ERR_EPOCH_UNKNOWN')
    const strange = { ...unbound, claimsDigest: new Uint8Array(32) }
    const wrong = { find: () => strange as unknown as typeof bound }
    expect(await codeOf(() => openWith(f, { epochs: wrong })(mine))).toBe('ERR_EPOCH_CLAIMS')
  })

  it('refuses a request whose deadline has passed', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'), { deadline: f.clock.now() + 10 })
    f.clock.advance(11)
    expect(await codeOf(() => f.open(request))).toBe('ERR_SEAL_DEADLINE')
  })
})
