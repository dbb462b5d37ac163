import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, fromBase64, fromHex, toBase64, toHex } from '../bytes.ts'
import { extension } from '../simulate/certificates.ts'
import { makeOcspResponse, makeResponder } from '../simulate/gpu-ocsp.ts'
import { DerReader, der, derOid, OID, parseCertificate, TAG, X509Error } from '../x509/index.ts'
import vectors from './ocsp.vectors.json' with { type: 'json' }
import { certificateId, encodeRequest, OCSP_OID, parseResponse } from './ocsp-message.ts'
import { aboutLeaf, ca, fresh, judge, keys, leaf, leafPair, NOW, name } from './testing-ocsp.ts'

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
    expect(parsed.certificates[0]?.extensions.has(OID.extendedKeyUsage)).toBe(true)
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
    const oid = toHex(derOid(OID.sha384))
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
      der(TAG.sequence, extension('1.3.6.1.5.5.7.48.1.6', der(TAG.null), critical))
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
