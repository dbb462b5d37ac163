import { describe, expect, it } from 'vitest'
import { concat, toBase64, utf8 } from '../bytes.ts'
import { kemKeyPairFromSeed } from '../epoch/kem.ts'
import { SealError, StoredResponse } from './errors.ts'
import { fixedSetup, XWING } from './make-vectors.ts'
import { CLAIMS_DIGEST, codeOf, fixedKey, fixture } from './testing.ts'

describe('epoch edges', () => {
  it('senders stop 30 s before the end, the receiver opens until 60 s after it', async () => {
    const f = await fixture()
    f.clock.advance(570_000)
    const deadline = f.clock.now() + 200_000
    const late = (await f.seal(utf8('x'), { deadline })).request
    const later = (await f.seal(utf8('y'), { deadline })).request
    f.clock.advance(1)
    expect(await codeOf(() => f.seal(utf8('x')))).toBe('ERR_EPOCH_UNKNOWN')
    f.clock.advance(89_998)
    expect(await codeOf(() => f.open(late))).toBe('no error')
    f.clock.advance(1)
    expect(await codeOf(() => f.open(later))).toBe('ERR_EPOCH_UNKNOWN')
  })

  it('a stream that outlives its epoch finishes', async () => {
    const f = await fixture()
    const epoch = f.epochs.current()
    const sealed = await f.seal(utf8('x'))
    const opened = await f.open(sealed.request)
    const responder = opened.respond()
    const units = [responder.start(), responder.frame(1, utf8('a'))]
    f.clock.advance(700_000)
    await f.epochs.tick()
    expect(epoch.erased).toBe(true)
    units.push(responder.frame(1, utf8('b')), responder.final(utf8('{}')))
    expect(sealed.open.push(concat(...units))).toHaveLength(3)
    sealed.open.end()
  })

  it('a key erased while a request is being opened lets nothing through', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'))
    const opening = codeOf(() => f.open(request))
    f.epochs.close()
    expect(await opening).toBe('ERR_EPOCH_UNKNOWN')
  })
})

describe('replay', () => {
  it('answers a byte-identical repeat with the stored frames, once the answer is whole', async () => {
    const f = await fixture()
    const sealed = await f.seal(utf8('x'))
    const opened = await f.open(sealed.request)
    const responder = opened.respond()
    const units = [responder.start(), responder.frame(1, utf8('a'))]
    expect(await codeOf(() => f.open(sealed.request))).toBe('ERR_REPLAY')
    units.push(responder.final(utf8('{}')))
    const error = await f.open(sealed.request).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(StoredResponse)
    if (error instanceof StoredResponse) expect(error.frames).toEqual(units)
    expect(sealed.open.push(concat(...units))).toHaveLength(2)
  })

  it('lets one of several copies through that are opened at the same time', async () => {
    const f = await fixture()
    const { request } = await f.seal(utf8('x'))
    const codes = await Promise.all([1, 2, 3].map(() => codeOf(() => f.open(request))))
    expect(codes.sort()).toEqual(['ERR_REPLAY', 'ERR_REPLAY', 'no error'])
  })

  it('refuses another body under the same encapsulation and context', async () => {
    const pair = await kemKeyPairFromSeed(XWING.seed, XWING.publicKey)
    const f = await fixture({ generate: async () => pair })
    const internals = { setupSender: fixedSetup, random: () => new Uint8Array(16) }
    const first = await f.seal(utf8('first'), { requestId: 'r' }, internals)
    const second = await f.seal(utf8('other'), { requestId: 'r' }, internals)
    await f.open(first.request)
    await expect(f.open(second.request)).rejects.toThrow(/other frames/)
  })

  it('refuses a requestId that its payer used, also in the next epoch, and not that of another payer', async () => {
    const f = await fixture()
    await f.open((await f.seal(utf8('x'), { requestId: 'r' })).request)
    expect(await codeOf(async () => f.open((await f.seal(utf8('x'), { requestId: 'r' })).request))).toBe(
      'ERR_REPLAY',
    )
    const payer = { ...f.context().payer, key: toBase64(fixedKey(9).publicKey) }
    expect(
      await codeOf(async () => f.open((await f.seal(utf8('x'), { requestId: 'r', payer })).request)),
    ).toBe('no error')
    f.clock.advance(500_000)
    await f.epochs.tick()
    f.epochs.current().bindClaims(CLAIMS_DIGEST)
    expect(await codeOf(async () => f.open((await f.seal(utf8('x'), { requestId: 'r' })).request))).toBe(
      'ERR_REPLAY',
    )
  })

  it('refuses when the set is full and never forgets what is in it', async () => {
    const f = await fixture({ replay: { capacity: 2, storeBytes: 1000, responseBytes: 1000 } })
    const first = (await f.seal(utf8('x'))).request
    await f.open(first)
    await f.open((await f.seal(utf8('x'))).request)
    expect(await codeOf(async () => f.open((await f.seal(utf8('x'))).request))).toBe('ERR_REPLAY_FULL')
    expect(await codeOf(() => f.open(first))).toBe('ERR_REPLAY')
  })

  it('says so when an answer was too long to keep', async () => {
    const f = await fixture({ replay: { capacity: 9, storeBytes: 5000, responseBytes: 5000 } })
    const { request } = await f.seal(utf8('x'))
    const responder = (await f.open(request)).respond()
    responder.start()
    responder.frame(1, new Uint8Array(900))
    responder.final(utf8('{}'))
    await expect(f.open(request)).rejects.toThrow(/not kept/)
  })

  it('gives one response to one request', async () => {
    const f = await fixture()
    const opened = await f.open((await f.seal(utf8('x'))).request)
    const responder = opened.respond()
    expect(() => opened.respond()).toThrow(SealError)
    responder.start()
    responder.destroy()
    expect(() => responder.final(utf8('{}'))).toThrow(SealError)
  })
})
