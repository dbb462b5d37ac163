import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, fromBase64, fromHex, toBase64, toHex, utf8 } from '../bytes.ts'
import { Factors } from '../policy/factors.ts'
import { FOREVER, gpuExtension, makeGpuCertificate, newGpuKey } from '../simulate/gpu-certificates.ts'
import { makeOcspResponse, makeResponder, type OcspSpec, ocspErrorResponse } from '../simulate/gpu-ocsp.ts'
import { type Certificate, DerReader, der, derOid, parseCertificate, TAG, X509Error } from '../x509/index.ts'
import {
  httpOcspClient,
  issuedPairs,
  judgeOcsp,
  NVIDIA_OCSP_URL,
  type OcspClient,
  type OcspInput,
  OcspUnreachable,
} from './ocsp.ts'
import vectors from './ocsp.vectors.json' with { type: 'json' }
import { certificateId, encodeRequest, OCSP_OID, parseResponse } from './ocsp-message.ts'

const NOW = Date.UTC(2026, 10, 23)
const HOUR = 3_600_000

const keys = { root: newGpuKey(), ca: newGpuKey(), leaf: newGpuKey() }
type Role = keyof typeof keys
const name = (role: Role) => ({ commonName: `Simulated ${role}` })

function issue(subject: Role, issuer: Role, ca: boolean): Certificate {
  const dates = { notBefore: NOW - HOUR, notAfter: FOREVER }
  const bytes = makeGpuCertificate({
    subject: name(subject),
    issuer: name(issuer),
    subjectKey: keys[subject],
    issuerKey: keys[issuer],
    ca,
    ...dates,
  })
  return parseCertificate(bytes, 'P-384')
}

const root = issue('root', 'root', true)
const ca = issue('ca', 'root', true)
const leaf = issue('leaf', 'ca', false)
/** A RIM chain: leaf and CA are asked about, the root is not. */
const rimChains = [[leaf, ca, root]]
const leafPair = { certificate: leaf, issuer: ca }
const caPair = { certificate: ca, issuer: root }
const fresh = { thisUpdate: NOW - HOUR, nextUpdate: NOW + HOUR }
const byRoot = makeOcspResponse({ pairs: [caPair], ...fresh }, { key: keys.root })

function aboutLeaf(
  spec: Partial<OcspSpec> = {},
  signer: Parameters<typeof makeOcspResponse>[1] = { key: keys.ca },
) {
  return makeOcspResponse({ pairs: [leafPair], ...fresh, ...spec }, signer)
}

const signing = der(TAG.sequence, derOid(OCSP_OID.signing))
const SIGNS = Uint8Array.of(7, 0x80)
const responder = (changes: Parameters<typeof makeResponder>[2]) =>
  makeResponder({ name: name('ca'), key: keys.ca }, NOW, changes)

async function judge(input: Partial<OcspInput>): Promise<string> {
  return (await judged(input)).result
}

async function judged(input: Partial<OcspInput>): Promise<{ result: string; until: number | undefined }> {
  const factors = new Factors()
  const until = await judgeOcsp(factors, { deviceChains: [], rimChains, now: NOW, ...input })
  const [factor] = factors.list(['gpu.ocsp'])
  return { result: `${factor?.result}: ${factor?.reason}`, until }
}

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

describe('answers of OpenSSL', () => {
  const now = Date.parse(vectors.now)
  const nonce = fromHex(vectors.nonce)
  const certificate = (which: keyof typeof vectors.certificates) =>
    parseCertificate(fromBase64(vectors.certificates[which]), 'P-384')
  const authority = certificate('ca')
  const ask = (which: 'leaf' | 'bad' | 'held' | 'strange', answer: keyof typeof vectors.responses = which) =>
    judge({
      rimChains: [[certificate(which), authority]],
      responses: [fromBase64(vectors.responses[answer])],
      nonce,
      now,
    })

  it('are understood', async () => {
    expect(await ask('leaf')).toMatch(/^pass/)
    expect(await ask('bad')).toMatch(/^fail: .*revoked \(reason 1\)/)
    expect(await ask('held')).toMatch(/^fail: .*on hold/)
    expect(await ask('strange')).toMatch(/^fail: .*does not know/)
    expect(await ask('leaf', 'direct')).toMatch(/^fail: .*stale/)
    expect(await ask('bad', 'leaf')).toMatch(/^skip/)
  })

  it('were made for the requests that we write', () => {
    expect(toBase64(encodeRequest(certificate('leaf'), authority, nonce))).toBe(vectors.requests.leaf)
  })

  it('are refused when any byte of them changes', async () => {
    const whole = fromBase64(vectors.responses.leaf)
    const rimChain = [certificate('leaf'), authority]
    for (let at = 0; at < whole.length; at++) {
      const responses = [whole.with(at, (whole[at] ?? 0) ^ 0x01)]
      const result = await judge({ rimChains: [rimChain], responses, nonce, now })
      expect(result, `byte ${at}`).not.toMatch(/^pass/)
    }
  })
})

/** Whether an element holds others. Digests do not, whatever their first byte looks like. */
function isPart(tag: number, value: Uint8Array): boolean {
  const wraps = tag === TAG.octetString && value.length !== 48 && value.length !== 20
  return (tag & 0x20) !== 0 || (wraps && [0x30, 0x04].includes(value[0] ?? 0))
}

/** The whole with one element changed, for each element that `change` changes. */
function* changed(
  bytes: Uint8Array,
  change: (tag: number, value: Uint8Array) => Uint8Array | undefined,
): Generator<Uint8Array> {
  const reader = new DerReader(bytes, 'test')
  let before: Uint8Array = new Uint8Array()
  while (!reader.done) {
    const { tag, value, raw } = reader.next()
    const after = bytes.subarray(before.length + raw.length)
    const replaced = change(tag, value)
    if (replaced !== undefined) yield concat(before, replaced, after)
    if (isPart(tag, value))
      for (const inner of changed(value, change)) yield concat(before, der(tag, inner), after)
    before = concat(before, raw)
  }
}

describe('the parser of answers', () => {
  const whole = makeOcspResponse(
    { pairs: [leafPair], ...fresh, nonce: new Uint8Array(32) },
    makeResponder({ name: name('ca'), key: keys.ca }, NOW),
  )

  it('reads what was written', () => {
    const parsed = parseResponse(whole)
    expect(parsed.responses).toEqual([
      { id: certificateId(leaf, ca), status: 'good', reason: undefined, ...fresh },
    ])
    expect(parsed.nonce).toEqual(new Uint8Array(32))
    expect(parsed.certificates[0]?.extensions.has(OCSP_OID.extendedKeyUsage)).toBe(true)
  })

  it('throws X509Error for every prefix, for trailing bytes and for noise', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseResponse(whole.subarray(0, length))).toThrow(X509Error)
    }
    expect(() => parseResponse(Uint8Array.of(...whole, 0))).toThrow(X509Error)
    expect(() => parseResponse(new Uint8Array(40_000))).toThrow('bytes')
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(whole.length - 1),
        fc.nat(255),
        (noise, at, byte) => {
          expect(() => parseResponse(noise)).toThrow(X509Error)
          try {
            parseResponse(whole.with(at, byte))
          } catch (error) {
            expect(error).toBeInstanceOf(X509Error)
          }
        },
      ),
    )
  })

  it('throws X509Error for an element too many, of another kind, or with a time in another form', () => {
    const revoked = aboutLeaf({ status: 'hold', nonce: new Uint8Array(32) })
    const strange = der(0x0c)
    const wrong: [string, number, (tag: number, value: Uint8Array) => Uint8Array | undefined][] = [
      ['one more', 15, (tag, value) => (isPart(tag, value) ? der(tag, value, strange) : undefined)],
      ['another kind', 30, (_tag, value) => der(0x0c, value)],
      ['no seconds', 4, (tag, value) => (tag === TAG.generalizedTime ? der(tag, value.slice(2)) : undefined)],
      [
        'two digits of a year',
        4,
        (tag, value) => (tag === TAG.generalizedTime ? der(TAG.utcTime, value.slice(2)) : undefined),
      ],
      ['a NULL with content', 1, (tag) => (tag === 0x80 ? der(0x80, Uint8Array.of(0)) : undefined)],
    ]
    for (const [what, least, change] of wrong) {
      const inputs = [...changed(what === 'a NULL with content' ? aboutLeaf() : revoked, change)]
      expect(inputs.length, what).toBeGreaterThanOrEqual(least)
      for (const input of inputs)
        expect(() => parseResponse(input), `${what} ${toHex(input)}`).toThrow(X509Error)
    }
  })

  it('takes NULL as the parameters of a hash, and other extensions beside the nonce', () => {
    const oid = toHex(derOid(OCSP_OID.sha384))
    const sequence = (tag: number, value: Uint8Array, more: Uint8Array) =>
      tag === TAG.sequence && toHex(value) === oid ? der(tag, value, more) : undefined
    const once = (more: Uint8Array) => [...changed(aboutLeaf(), (tag, value) => sequence(tag, value, more))]
    for (const input of once(der(TAG.null)))
      expect(parseResponse(input).responses[0]?.id).toEqual(certificateId(leaf, ca))
    for (const input of once(der(TAG.null, Uint8Array.of(1))))
      expect(() => parseResponse(input)).toThrow('NULL')
    expect(once(der(TAG.null))).toHaveLength(1)
    const nonce = toHex(derOid(OCSP_OID.nonce)).slice(4)
    const other = (tag: number, value: Uint8Array) =>
      tag === TAG.oid && toHex(value) === nonce ? derOid('1.3.6.1.5.5.7.48.1.9') : undefined
    const [without] = changed(aboutLeaf({ nonce: new Uint8Array(32) }), other)
    expect(parseResponse(without ?? new Uint8Array())).toMatchObject({ nonce: undefined })
  })

  it('takes extensions of a single answer, unless they are critical or not alone', () => {
    const extended = (extensions: Uint8Array) => {
      const [input] = changed(aboutLeaf(), (tag, value) =>
        tag === 0xa0 && value[0] === TAG.generalizedTime ? concat(der(tag, value), extensions) : undefined,
      )
      return parseResponse(input ?? new Uint8Array())
    }
    const list = (critical: boolean) =>
      der(TAG.sequence, gpuExtension('1.3.6.1.5.5.7.48.1.6', der(TAG.null), critical))
    expect(extended(der(0xa1, list(false))).responses[0]?.status).toBe('good')
    expect(() => extended(der(0xa1, list(true)))).toThrow('critical')
    expect(() => extended(der(0xa1, list(false), der(TAG.null)))).toThrow('trailing')
  })

  it('takes no signature but ECDSA, and four certificates at most', () => {
    const ecdsa = toHex(derOid('1.2.840.10045.4.3.3')).slice(4)
    const rsa = (tag: number, value: Uint8Array) =>
      tag === TAG.oid && toHex(value) === ecdsa ? derOid('1.2.840.113549.1.1.11') : undefined
    for (const input of changed(aboutLeaf(), rsa))
      expect(() => parseResponse(input)).toThrow('not signed with ECDSA')
    const certificates = (count: number) => concat(...Array.from({ length: count }, () => leaf.der))
    const carrying = (count: number) => aboutLeaf({}, { key: keys.ca, certificate: certificates(count) })
    expect(parseResponse(carrying(4)).certificates).toHaveLength(4)
    expect(() => parseResponse(carrying(5))).toThrow('too many')
    const twoLists = [
      ...changed(carrying(1), (tag, value) => (tag === 0xa0 ? der(tag, value, der(0x30)) : undefined)),
    ]
    for (const input of twoLists) expect(() => parseResponse(input)).toThrow(X509Error)
    const named = aboutLeaf({ byName: name('ca') })
    for (const input of changed(named, (tag, value) =>
      tag === 0xa1 ? der(tag, value, der(0x30)) : undefined,
    )) {
      expect(() => parseResponse(input)).toThrow(X509Error)
    }
  })
})
