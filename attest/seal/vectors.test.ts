import { verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fromHex, fromUtf8, toHex, utf8 } from '../bytes.ts'
import { kemKeyPairFromSeed } from '../epoch/kem.ts'
import { checkDetails, receiptDigest, type SignedReceipt, verifyReceipt } from '../receipt/index.ts'
import { secretbox } from './cipher.ts'
import { buildVectors, fixedSetup, patternBody, vectorEpoch, XWING } from './make-vectors.ts'
import { openSealed } from './open.ts'
import {
  hpkeExport,
  openRequest,
  sealResponse,
  xwingDecapsulate,
  xwingEncapsulate,
  xwingKeyPair,
} from './reference.ts'
import { ResponseOpener } from './response-opener.ts'
import { fixedKey, fixture } from './testing.ts'

interface Case {
  name: string
  sealId: string
  context: string
  body: { hex?: string; length?: number }
  h: string
  info: string
  requestSecrets: string
  responseSecret: string
  request?: string
  requestHash: string
  authHash: string
  responseFrames: { type: number; content: string }[]
  responseUnits: string[]
  transcript: string
}

const committed = JSON.parse(readFileSync(new URL('./seal.vectors.json', import.meta.url), 'utf8')) as {
  now: number
  cases: Case[]
  receipt: { signingKey: string; details: string; blind: string; receipt: SignedReceipt; digest: string }
}

const bodyOf = (vector: Case): Uint8Array =>
  vector.body.hex === undefined ? patternBody(vector.body.length ?? 0) : fromHex(vector.body.hex)

describe('X-Wing', () => {
  it('gives the shared secret of the published vector, in the library and in bare node:crypto', async () => {
    expect(toHex(xwingDecapsulate(xwingKeyPair(XWING.seed), XWING.enc))).toBe(toHex(XWING.sharedSecret))
    const info = utf8('info')
    const pair = await kemKeyPairFromSeed(XWING.seed, XWING.publicKey)
    const exporter = await pair.setup(XWING.enc, info)
    const expected = hpkeExport(XWING.sharedSecret, info, utf8('context'), 80)
    expect(toHex(await exporter.export(utf8('context'), 80))).toBe(expected.toString('hex'))
    expect(toHex(await (await fixedSetup(XWING.publicKey, info)).export(utf8('context'), 80))).toBe(
      expected.toString('hex'),
    )
  })

  it('opens in the library what bare node:crypto encapsulated', async () => {
    const pair = await kemKeyPairFromSeed(XWING.seed, XWING.publicKey)
    const { enc, sharedSecret } = xwingEncapsulate(pair.publicKey)
    const exporter = await pair.setup(new Uint8Array(enc), utf8('i'))
    expect(toHex(await exporter.export(utf8('c'), 32))).toBe(
      hpkeExport(sharedSecret, utf8('i'), utf8('c'), 32).toString('hex'),
    )
  })
})

describe('the committed vectors', () => {
  it('are what this code makes', async () => {
    expect(await buildVectors()).toEqual(JSON.parse(JSON.stringify(committed)))
  })

  it.each(committed.cases.filter((vector) => vector.request !== undefined))('open: $name', async (vector) => {
    const epoch = await vectorEpoch()
    const request = fromHex(vector.request ?? '')
    const opened = await openSealed(request, {
      epochs: { find: () => epoch },
      authKey: () => fixedKey(7).publicKey,
      now: () => committed.now,
    })
    expect(toHex(opened.body)).toBe(toHex(bodyOf(vector)))
    expect([toHex(opened.h), toHex(opened.requestHash), toHex(opened.authHash)]).toEqual([
      vector.h,
      vector.requestHash,
      vector.authHash,
    ])
  })

  it.each(committed.cases)('open as responses: $name', (vector) => {
    const opener = new ResponseOpener({
      sealId: fromHex(vector.sealId),
      rsec: fromHex(vector.responseSecret),
      enc: XWING.enc,
      requestHash: fromHex(vector.requestHash),
      cipher: secretbox,
    })
    const frames = vector.responseUnits.flatMap((unit) => opener.push(fromHex(unit)))
    opener.end()
    expect(frames.map(({ type, content }) => ({ type, content: fromUtf8(content) }))).toEqual(
      vector.responseFrames,
    )
    expect(toHex(opener.transcript())).toBe(vector.transcript)
  })

  it('hold a receipt', () => {
    const { receipt, signingKey, details, blind, digest } = committed.receipt
    const body = verifyReceipt(receipt, fromHex(signingKey))
    expect(body.clientCharge).toBe('420')
    expect(checkDetails(body, utf8(details), fromHex(blind)).promptTokens).toBe(12)
    expect(receiptDigest(receipt)).toBe(digest)
  })
})

describe('the second implementation (node:crypto and tweetnacl alone)', () => {
  it.each(committed.cases.filter((vector) => vector.request !== undefined))('opens: $name', (vector) => {
    const opened = openRequest(fromHex(vector.request ?? ''), xwingKeyPair(XWING.seed))
    expect(opened.body.toString('hex')).toBe(toHex(bodyOf(vector)))
    expect(opened.frames.at(-1)?.type).toBe(3)
    expect(opened.ctx.toString('utf8')).toBe(vector.context)
    expect(opened.h.toString('hex')).toBe(vector.h)
    expect(opened.rsec.toString('hex')).toBe(vector.responseSecret)
    expect(opened.requestHash.toString('hex')).toBe(vector.requestHash)
  })

  it('opens what seal() freshly made, and answers it', async () => {
    const pair = await kemKeyPairFromSeed(XWING.seed, XWING.publicKey)
    const { seal, payer } = await fixture({ generate: async () => pair })
    const body = patternBody(600_000)
    const sealed = await seal(body)
    const opened = openRequest(sealed.request, xwingKeyPair(XWING.seed))
    expect(opened.body.equals(body)).toBe(true)
    const x = Buffer.from(payer.publicKey).toString('base64url')
    const key = { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' } as const
    expect(verify(null, opened.authMessage, key, opened.auth)).toBe(true)
    const answer = sealResponse(opened, new Uint8Array(32).fill(9), [utf8('a'), utf8('b'), utf8('{}')])
    const frames = sealed.open.push(answer.response)
    sealed.open.end()
    expect(frames.map((frame) => [frame.type, fromUtf8(frame.content)])).toEqual([
      [1, 'a'],
      [1, 'b'],
      [3, '{}'],
    ])
    expect(toHex(sealed.open.transcript())).toBe(answer.transcript.toString('hex'))
  })
})
