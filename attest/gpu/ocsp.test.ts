import { describe, expect, it } from 'vitest'
import { concat, toBase64, toHex, utf8 } from '../bytes.ts'
import { newGpuKey } from '../simulate/gpu-certificates.ts'
import { makeOcspResponse, makeResponder, type OcspSpec, ocspErrorResponse } from '../simulate/gpu-ocsp.ts'
import { der, derOid, TAG } from '../x509/index.ts'
import { httpOcspClient, issuedPairs, NVIDIA_OCSP_URL, type OcspClient, OcspUnreachable } from './ocsp.ts'
import { encodeRequest } from './ocsp-message.ts'
import {
  aboutLeaf,
  byRoot,
  ca,
  caPair,
  fresh,
  HOUR,
  judge,
  judged,
  keys,
  leaf,
  leafPair,
  NOW,
  name,
  responder,
  rimChains,
  SIGNS,
  signing,
} from './testing-ocsp.ts'

describe('answers that came with the evidence', () => {
  it('pass when every certificate but roots and device leaves is good', async () => {
    expect(await judge({ responses: [aboutLeaf(), byRoot] })).toMatch(/^pass: 2 certificates/)
    // A device's leaf is issued by the device, which answers nobody.
    expect(await judge({ deviceChains: rimChains, rimChains: [], responses: [byRoot] })).toMatch(/^pass: 1/)
    expect(issuedPairs({ deviceChains: rimChains, rimChains })).toHaveLength(2)
  })

  it('hold until the first of them runs out, or its signer does', async () => {
    const short = aboutLeaf({ nextUpdate: NOW + 5000 })
    expect((await judged({ responses: [aboutLeaf(), byRoot] })).until).toBe(NOW + HOUR - 1)
    expect((await judged({ responses: [aboutLeaf(), byRoot, short] })).until).toBe(NOW + 4999)
    const brief = aboutLeaf({}, responder({ notAfter: NOW + 7000 }))
    expect((await judged({ responses: [brief, byRoot] })).until).toBe(NOW + 7000)
    expect((await judged({ responses: [byRoot] })).until).toBeUndefined()
    expect((await judged({ responses: [aboutLeaf({ status: 'hold' }), byRoot] })).until).toBeUndefined()
  })

  it('may be one answer about several, and one of a delegated responder', async () => {
    const both = makeOcspResponse({ pairs: [leafPair, caPair], ...fresh }, { key: keys.ca })
    // The CA of the leaf is not the issuer of the CA.
    expect(await judge({ responses: [both] })).toMatch(/^fail: .*signer is missing/)
    const twice = makeOcspResponse({ pairs: [leafPair, leafPair], ...fresh }, { key: keys.ca })
    expect(await judge({ responses: [twice, byRoot] })).toMatch(/^pass/)
    const responder = makeResponder({ name: name('ca'), key: keys.ca }, NOW)
    expect(await judge({ responses: [aboutLeaf({}, responder), byRoot] })).toMatch(/^pass/)
    const named = aboutLeaf({ byName: { commonName: 'Simulated OCSP Responder' } }, responder)
    expect(await judge({ responses: [named, byRoot] })).toMatch(/^pass/)
    expect(await judge({ responses: [aboutLeaf({ byName: name('ca') }), byRoot] })).toMatch(/^pass/)
  })

  it.each<[string, Uint8Array, string]>([
    ['a revoked certificate', aboutLeaf({ status: 'revoked' }), 'revoked (reason 1)'],
    ['a certificate on hold', aboutLeaf({ status: 'hold' }), 'on hold'],
    ['a certificate that the responder does not know', aboutLeaf({ status: 'unknown' }), 'does not know'],
    ['a stale answer', aboutLeaf({ nextUpdate: NOW }), 'stale'],
    ['an answer without an end', aboutLeaf({ nextUpdate: undefined }), 'how long'],
    [
      'an answer that is not yet valid',
      aboutLeaf({ thisUpdate: NOW + HOUR, producedAt: NOW }),
      'not yet valid',
    ],
    ['an answer from the future', aboutLeaf({ producedAt: NOW + HOUR }), 'future'],
    ['another nonce', aboutLeaf({ nonce: new Uint8Array(32) }), 'nonce is another'],
    ['a refusal of the responder', ocspErrorResponse(6), 'unauthorized'],
    ['a responder that is busy', ocspErrorResponse(3), 'tryLater'],
    [
      'a signature by another key',
      aboutLeaf({ byName: name('ca') }, { key: newGpuKey() }),
      'does not verify',
    ],
    ['a signer that nobody knows', aboutLeaf({}, { key: newGpuKey() }), 'signer is missing'],
    ['the issuer of the issuer', aboutLeaf({}, { key: keys.root }), 'signer is missing'],
    [
      'a responder of another CA',
      aboutLeaf({}, makeResponder({ name: name('root'), key: keys.root }, NOW)),
      'names do not chain',
    ],
    [
      'a responder that a look-alike certified',
      aboutLeaf({}, makeResponder({ name: name('ca'), key: newGpuKey() }, NOW)),
      'does not verify',
    ],
    [
      'a certificate for another purpose',
      aboutLeaf({}, responder({ purposes: der(TAG.sequence, derOid('1.3.6.1.5.5.7.3.1')) })),
      'may not sign answers',
    ],
    [
      'purposes with something behind them',
      aboutLeaf({}, responder({ purposes: concat(signing, der(TAG.null)) })),
      'trailing',
    ],
    ['a responder that is a CA', aboutLeaf({}, responder({ ca: true, usage: SIGNS })), 'is a CA'],
    [
      'a responder whose key may not sign',
      aboutLeaf({}, responder({ usage: Uint8Array.of(3, 0x08) })),
      'may not sign answers',
    ],
    [
      'a certificate for no purpose',
      aboutLeaf({}, { key: keys.leaf, certificate: leaf.der }),
      'may not sign answers',
    ],
    [
      'a responder whose certificate has expired',
      aboutLeaf({}, makeResponder({ name: name('ca'), key: keys.ca }, NOW - 40 * 86_400_000)),
      'expired',
    ],
  ])('fail with %s', async (_name, response, problem) => {
    const result = await judge({ responses: [byRoot, response], nonce: new Uint8Array(32).fill(1) })
    expect(result).toMatch(/^fail/)
    expect(result).toContain(problem)
  })

  it('fail when one of two answers about a certificate is bad', async () => {
    const responses = [aboutLeaf(), byRoot, aboutLeaf({ status: 'revoked' })]
    expect(await judge({ responses })).toMatch(/^fail: .*revoked/)
  })

  it('are a skip where they leave a certificate open and nobody can be asked', async () => {
    expect(await judge({ responses: [byRoot] })).toMatch(/^skip: .*offline.*"Simulated leaf"/)
    expect(await judge({})).toMatch(/^skip: .*2 certificates/)
    expect(await judge({ rimChains: [] })).toMatch(/^skip: there is no certificate/)
  })

  it('are bounded in number', async () => {
    expect(await judge({ responses: Array.from({ length: 300 }, () => byRoot) })).toMatch(/^fail: .*256/)
    const many = Array.from({ length: 300 }, (_, i) => [{ ...leaf, der: Uint8Array.of(i >> 8, i) }, ca])
    expect(await judge({ rimChains: many })).toMatch(/^fail: .*256/)
  })
})

describe('the responder', () => {
  /** Answers as a responder does: with the nonce of the request, which stands last in it. */
  const client = (spec: Partial<OcspSpec>, echo = true): OcspClient => ({
    async ask(request) {
      const nonce = request.slice(-32)
      const isLeaf = toBase64(request) === toBase64(encodeRequest(leaf, ca, nonce))
      const pair = isLeaf ? leafPair : caPair
      const signer = { key: isLeaf ? keys.ca : keys.root }
      return makeOcspResponse({ pairs: [pair], ...fresh, ...(echo ? { nonce } : {}), ...spec }, signer)
    },
  })

  it('is asked about every certificate, with a fresh nonce each, whatever the evidence carries', async () => {
    const nonces = new Set<string>()
    const inner = client({ nextUpdate: undefined })
    const counting: OcspClient = {
      ask(request) {
        nonces.add(toBase64(request.slice(-32)))
        return inner.ask(request)
      },
    }
    expect(await judge({ client: counting })).toMatch(/^pass: 2 .*just now/)
    expect(nonces.size).toBe(2)
    const partly = await judged({ client: counting, responses: [aboutLeaf()] })
    expect(partly.result).toMatch(/^pass/)
    // An answer without an end holds for this moment alone.
    expect(partly.until).toBe(NOW)
    expect(nonces.size).toBe(4)
    const all = await judged({ client: counting, responses: [aboutLeaf(), byRoot] })
    expect(all.result).toMatch(/^pass: 2 .*just now/)
    expect(nonces.size).toBe(6)
  })

  it('decides over good answers of the evidence; a bad one of the evidence fails all the same', async () => {
    const responses = [aboutLeaf(), byRoot]
    expect(await judge({ client: client({ status: 'revoked' }), responses })).toMatch(/^fail: .*revoked/)
    expect(await judge({ client: client({}, false), responses })).toMatch(/^fail: .*nonce/)
    const down: OcspClient = { ask: () => Promise.reject(new OcspUnreachable('dropped')) }
    expect(await judge({ client: down, responses })).toBe('skip: dropped')
    const revoked = [aboutLeaf({ status: 'revoked' }), byRoot]
    expect(await judge({ client: client({}), responses: revoked })).toMatch(/^fail: .*revoked/)
  })

  it('fails the factor without the nonce, with another, or with an answer about others', async () => {
    expect(await judge({ client: client({}, false) })).toMatch(/^fail: .*nonce/)
    expect(await judge({ client: client({ nonce: new Uint8Array(32) }) })).toMatch(/^fail: .*nonce/)
    expect(await judge({ client: client({ pairs: [] }) })).toMatch(/^fail: .*other certificates/)
    expect(await judge({ client: client({ status: 'hold' }) })).toMatch(/^fail: .*on hold/)
    expect(await judge({ client: { ask: async () => utf8('<html>') } })).toMatch(/^fail/)
    expect(await judge({ client: { ask: () => Promise.reject(new Error('a bug')) } })).toMatch(/^fail/)
  })

  it('fails the factor for one bad answer, even when others are kept from the verifier', async () => {
    const inner = client({ status: 'revoked' })
    for (const kept of [leaf, ca]) {
      const partly: OcspClient = {
        ask(request) {
          const isKept = toHex(request).includes(kept.serial)
          return isKept ? inner.ask(request) : Promise.reject(new OcspUnreachable('dropped'))
        },
      }
      expect(await judge({ client: partly })).toMatch(/^fail: .*revoked/)
    }
  })

  it('is reached by POST, without redirects; where it cannot be, the factor is a skip', async () => {
    const inner = client({})
    const seen: unknown[] = []
    const online = httpOcspClient(async (url, { method, body, redirect, headers }) => {
      seen.push(url, method, redirect, new Headers(headers).get('content-type'))
      return new Response(new Uint8Array(await inner.ask(body as Uint8Array)))
    })
    expect(await judge({ client: online })).toMatch(/^pass/)
    expect(seen.slice(0, 4)).toEqual([NVIDIA_OCSP_URL, 'POST', 'error', 'application/ocsp-request'])
    const down = httpOcspClient(() => Promise.reject(new Error('offline')), 'https://ocsp.invalid')
    expect(await judge({ client: down })).toMatch(/^skip: .*ocsp\.invalid cannot be reached/)
    const broken = (status: number, length: number) =>
      httpOcspClient(async () => new Response(new Uint8Array(length), { status }))
    await expect(broken(500, 0).ask(new Uint8Array())).rejects.toThrow(OcspUnreachable)
    expect(await judge({ client: broken(200, 40_000) })).toMatch(/^fail: .*bytes/)
  })
})
