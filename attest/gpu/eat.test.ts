import { createHmac } from 'node:crypto'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64Url, fromUtf8, toBase64, toBase64Url, toHex, utf8 } from '../bytes.ts'
import { Factors } from '../policy/factors.ts'
import { type GpuCertificateSpec, makeGpuCertificate, newGpuKey } from '../simulate/gpu-certificates.ts'
import {
  type EatClaims,
  type EatSpec,
  eatClaims,
  makeServiceCa,
  makeServiceSigner,
  SERVICE_NAMES,
  type ServiceSigner,
  SIMULATED_EAT_ISSUER,
  signCompact,
  signEat,
} from '../simulate/gpu-eat.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { parseDeviceChain } from './chain.ts'
import {
  EatError,
  type EatInput,
  type EatPolicies,
  fetchServiceKeys,
  judgeEat,
  looksLikeEat,
  NRAS_KEYS_URL,
  parseEat,
  verifyEats,
} from './eat.ts'
import { checkDeviceClaims, type TokenClaims } from './eat-claims.ts'

const NOW = Date.UTC(2026, 10, 23)
const NONCE = new Uint8Array(32).fill(7)
const ca = makeServiceCa(NOW)
const signer = makeServiceSigner(ca, NOW)
const PINNED: EatPolicies = {
  eat: { issuer: SIMULATED_EAT_ISSUER, intermediates: [toHex(sha256(ca.certificate))] },
}
const TRUSTED: EatPolicies = { eat: { issuer: SIMULATED_EAT_ISSUER } }

const gpu = (ueid: string) => ({
  kind: 'gpu' as const,
  ueid,
  hwmodel: 'GH100 A01 GSP BROM',
  driver: '580.65.06',
  vbios: '96.00.9f.00.01',
})
const nvSwitch = {
  kind: 'switch' as const,
  ueid: '33',
  hwmodel: 'LS_10 A01 FSP BROM',
  vbios: '96.10.55.00.01',
}
const DEVICES = [gpu('11'), gpu('22'), nvSwitch]
const EXPECTED = [
  { arch: 'HOPPER', ueid: '22', driver: '580.65.06', vbios: '96.00.9f.00.01' },
  { arch: 'HOPPER', ueid: '11' },
  { arch: 'LS10', ueid: '33', vbios: '35.2e.30.31.2e' },
]

type Json = Record<string, unknown>

interface Change {
  spec?: Partial<EatSpec>
  overall?: Json
  /** Claims of GPU-0 to set; undefined removes one. */
  first?: Json
  bundle?: (bundle: [['JWT', string], Json]) => unknown
  signer?: ServiceSigner
  input?: Partial<EatInput>
  policy?: EatPolicies
}

function make({ spec, overall, first, signer: by = signer }: Change): [['JWT', string], Json] {
  const claims: EatClaims = eatClaims({ devices: DEVICES, nonce: NONCE, now: NOW, ...spec })
  Object.assign(claims.overall, overall)
  Object.assign(claims.devices[0]?.claims ?? {}, first)
  return signEat(claims, by)
}

function judge(change: Change): Promise<unknown> {
  const bundle = make(change)
  const eats = [{ bundle: change.bundle?.(bundle) ?? bundle }]
  const input = { eats, jwks: signer.jwks, nonce: NONCE, devices: EXPECTED, now: NOW, ...change.input }
  return verifyEats(input, change.policy ?? TRUSTED)
}

describe('a bundle of NRAS', () => {
  it.each(['2.0', '3.0'] as const)('vouches for GPUs and switches (claims %s)', async (version) => {
    const devices = await judge({ spec: { version } })
    const validUntil = NOW + 3_600_000 - 1
    expect(devices).toEqual([
      { name: 'GPU-0', ...gpu('11'), validUntil },
      { name: 'GPU-1', ...gpu('22'), validUntil },
      { name: 'SWITCH-0', ...nvSwitch, driver: undefined, validUntil },
    ])
  })

  it('may come in parts, GPUs and switches apart', async () => {
    const part = (devices: EatSpec['devices']) => ({ bundle: make({ spec: { devices } }) })
    const eats = [part([gpu('11'), gpu('22')]), part([nvSwitch])]
    expect(await judge({ input: { eats } })).toHaveLength(3)
    const twice = [part([gpu('11')]), part([gpu('22')]), part([nvSwitch])]
    await expect(judge({ input: { eats: twice } })).rejects.toThrow('two tokens are named GPU-0')
  })

  it('is judged by keys that come with it only under a pinned intermediate', async () => {
    const eats = [{ bundle: make({}), jwks: signer.jwks }]
    expect(await judge({ input: { eats, jwks: undefined }, policy: PINNED })).toHaveLength(3)
    await expect(judge({ input: { eats, jwks: undefined } })).rejects.toThrow('from the prover alone')
    const own = makeServiceSigner(makeServiceCa(NOW), NOW)
    const forged = [{ bundle: make({ signer: own }), jwks: own.jwks }]
    await expect(judge({ input: { eats: forged, jwks: undefined }, policy: PINNED })).rejects.toThrow(
      'does not pin',
    )
    // The verifier's own keys go first, whatever the prover brings.
    await expect(judge({ input: { eats: forged } })).rejects.toThrow('no key is named')
  })

  it('needs a certificate for this key, that may sign, is valid now and was issued by the pinned CA', async () => {
    const [key] = signer.jwks.keys as [Json]
    const [leaf, intermediate] = key.x5c as [string, string]
    const other = (makeServiceSigner(ca, NOW).jwks.keys as [Json])[0].x5c
    const withX5c = (x5c: unknown, input: Partial<EatInput> = {}) =>
      judge({ input: { jwks: { keys: [{ ...key, x5c }] }, ...input }, policy: PINNED })
    expect(await withX5c([leaf, intermediate])).toHaveLength(3)
    await expect(withX5c(other)).rejects.toThrow('another key')
    await expect(withX5c([leaf])).rejects.toThrow('no x5c')
    await expect(withX5c(undefined)).rejects.toThrow('no x5c')
    await expect(withX5c([leaf, 'AA=='])).rejects.toThrow('certificate')
    await expect(withX5c([leaf, '*'])).rejects.toThrow('base64')
    await expect(withX5c([intermediate, intermediate])).rejects.toThrow('another key')
    const later = make({ spec: { now: NOW + 48 * 3_600_000 } })
    await expect(
      withX5c([leaf, intermediate], { eats: [{ bundle: later }], now: NOW + 48 * 3_600_000 }),
    ).rejects.toThrow('expired')
    const certified = (spec: Partial<GpuCertificateSpec>) => {
      const bytes = makeGpuCertificate({
        subject: { commonName: SERVICE_NAMES.leaf },
        issuer: { commonName: SERVICE_NAMES.intermediate },
        subjectKey: signer.key,
        issuerKey: ca.key,
        notBefore: NOW - 1000,
        notAfter: NOW + 1000,
        ca: false,
        ...spec,
      })
      return [toBase64(bytes), intermediate]
    }
    expect(await withX5c(certified({}))).toHaveLength(3)
    await expect(withX5c(certified({ ca: true }))).rejects.toThrow('of a CA')
    await expect(withX5c(certified({ usage: Uint8Array.of(3, 0x08) }))).rejects.toThrow('may not sign')
    const young = makeServiceCa(NOW + 2 * 86_400_000)
    const early = makeServiceSigner(young, NOW)
    const policy = { eat: { ...PINNED.eat, intermediates: [toHex(sha256(young.certificate))] } }
    await expect(judge({ signer: early, input: { jwks: early.jwks }, policy })).rejects.toThrow(
      'Intermediate" is not yet valid',
    )
    const lookAlike = makeServiceSigner({ ...ca, key: newGpuKey() }, NOW)
    await expect(
      judge({ signer: lookAlike, input: { jwks: lookAlike.jwks }, policy: PINNED }),
    ).rejects.toThrow('does not verify')
  })

  it.each<[string, Change, string]>([
    [
      'whose overall result is false',
      { overall: { 'x-nvidia-overall-att-result': false } },
      'overall-att-result',
    ],
    ['whose overall result is a text', { overall: { 'x-nvidia-overall-att-result': 'true' } }, 'overall-att'],
    ['for another nonce', { spec: { nonce: new Uint8Array(32) } }, 'eat_nonce'],
    [
      'whose overall nonce is another',
      { overall: { eat_nonce: '00'.repeat(32) } },
      'overall token: eat_nonce',
    ],
    ['whose first device has another nonce', { first: { eat_nonce: '00'.repeat(32) } }, 'GPU-0: eat_nonce'],
    ['without nonces', { first: { eat_nonce: undefined } }, 'eat_nonce'],
    ['of another issuer', { overall: { iss: 'https://nras.attestation.nvidia.com' } }, 'iss'],
    ['with a device token of another issuer', { first: { iss: 'x' } }, 'GPU-0: iss'],
    ['of NRAS itself, when another is asked for', { policy: {} }, 'iss'],
    ['of another subject', { overall: { sub: 'x' } }, 'sub'],
    ['with claims of a version from the future', { overall: { 'x-nvidia-ver': '9.0' } }, 'x-nvidia-ver'],
    ['that has expired', { input: { now: NOW + 3_600_000 } }, 'expired'],
    ['that is not yet valid', { input: { now: NOW - 6_000 } }, 'not yet valid'],
    ['whose nbf is in the future', { first: { nbf: NOW / 1000 + 60 } }, 'GPU-0: not yet valid'],
    ['whose device token has expired', { first: { exp: NOW / 1000 } }, 'GPU-0: expired'],
    ['valid for a week', { overall: { exp: NOW / 1000 + 7 * 86_400 } }, 'more than a day'],
    ['without times', { first: { iat: undefined } }, 'iat'],
    ['with a time that is a text', { first: { exp: '9999999999' } }, 'exp'],
    ['with measurements that did not match', { first: { measres: 'fail' } }, 'measres'],
    ['without measurements', { first: { measres: undefined } }, 'measres is missing'],
    ['without secure boot', { first: { secboot: false } }, 'secboot'],
    ['of a GPU open to debuggers', { first: { dbgstat: 'enabled' } }, 'dbgstat'],
    ['with a warning', { first: { 'x-nvidia-attestation-warning': 'hold' } }, 'warns'],
    ['of another vendor', { first: { oemid: '1' } }, 'oemid'],
    ['with a name for a device', { first: { ueid: 'GPU' } }, 'decimal'],
    ['with one device twice', { first: { ueid: '22' } }, 'one device'],
    ['of other devices', { first: { ueid: '44' } }, 'ueid 11'],
    [
      'with another driver than the report',
      {
        first: { 'x-nvidia-gpu-driver-version': '1' },
        input: {
          devices: [
            { arch: 'HOPPER', ueid: '11', driver: '2' },
            EXPECTED[0] ?? { arch: '' },
            EXPECTED[2] ?? { arch: '' },
          ],
        },
      },
      'driver',
    ],
    [
      'with another VBIOS than the report',
      {
        input: {
          devices: [
            { arch: 'HOPPER', ueid: '11', vbios: '2' },
            EXPECTED[0] ?? { arch: '' },
            EXPECTED[2] ?? { arch: '' },
          ],
        },
      },
      'VBIOS',
    ],
    [
      'for fewer GPUs than there are',
      { spec: { devices: [gpu('11'), nvSwitch] } },
      '1 tokens of kind gpu for 2',
    ],
    [
      'for more switches than there are',
      { input: { devices: EXPECTED.slice(0, 2) } },
      '1 tokens of kind switch for 0',
    ],
    [
      'with a driver that the policy does not accept',
      { policy: { ...TRUSTED, drivers: ['570.*', '580.65.07'] } },
      'driver',
    ],
    [
      'with a VBIOS that the policy does not accept',
      { policy: { ...TRUSTED, vbios: ['96.00.9F.00.02'] } },
      'VBIOS',
    ],
    ['without keys', { input: { jwks: undefined } }, 'no keys'],
    ['signed by a key that is not in the set', { signer: makeServiceSigner(ca, NOW) }, 'no key is named'],
    ['signed by another key of that name', { signer: { ...signer, key: newGpuKey() } }, 'signature'],
  ])('is refused: one %s', async (_name, change, problem) => {
    await expect(judge(change)).rejects.toThrow(problem)
  })

  it('may have versions that the policy accepts by prefix or exactly', async () => {
    const policy = { ...TRUSTED, drivers: ['580.*'], vbios: ['96.00.9F.00.01'] }
    expect(await judge({ policy })).toHaveLength(3)
  })

  it.each(['2.0', '3.0'] as const)(
    'is refused when any check of NRAS is not true (claims %s)',
    async (version) => {
      const whole = eatClaims({ devices: DEVICES, nonce: NONCE, now: NOW, version }).devices
      for (const i of [0, 2]) {
        const { name = '', claims = {} } = whole[i] ?? {}
        const checks = Object.keys(claims).filter((claim) => claims[claim] === true)
        expect(checks.length, name).toBeGreaterThan(8)
        for (const [n, check] of checks.entries()) {
          const changed = eatClaims({ devices: DEVICES, nonce: NONCE, now: NOW, version })
          Object.assign(changed.devices[i]?.claims ?? {}, { [check]: [false, undefined, 'true'][n % 3] })
          const input = { eats: [{ bundle: signEat(changed, signer) }] }
          await expect(judge({ input }), `${name} ${check}`).rejects.toThrow(check)
        }
      }
    },
  )

  it.each([
    ['is not valid', { 'x-nvidia-cert-status': 'expired' }],
    ['is on hold', { 'x-nvidia-cert-ocsp-status': 'revoked' }],
    ['has a revocation reason', { 'x-nvidia-cert-revocation-reason': 'certificateHold' }],
    ['has expired since', { 'x-nvidia-cert-expiration-date': '2026-11-22T23:59:59Z' }],
    ['expires at no time', { 'x-nvidia-cert-expiration-date': 'never' }],
  ])('is refused when a certificate chain %s', async (_name, fields) => {
    for (const chain of ['attestation-report', 'driver-rim', 'vbios-rim']) {
      const claim = `x-nvidia-gpu-${chain}-cert-chain`
      const good = eatClaims({ devices: DEVICES, nonce: NONCE, now: NOW }).devices[0]?.claims[claim] as Json
      await expect(judge({ first: { [claim]: { ...good, ...fields } } })).rejects.toThrow(claim)
      await expect(judge({ first: { [claim]: undefined } })).rejects.toThrow('missing')
    }
  })

  it('is refused though correctly signed, when NRAS says why a device failed', async () => {
    const iat = NOW / 1000
    const shared = { iss: SIMULATED_EAT_ISSUER, iat, nbf: iat, exp: iat + 3600 }
    const refusal: EatClaims = {
      overall: {
        ...shared,
        sub: 'NVIDIA-PLATFORM-ATTESTATION',
        'x-nvidia-ver': '2.0',
        'x-nvidia-overall-att-result': false,
      },
      devices: [
        {
          name: 'GPU-0',
          claims: { ...shared, 'x-nvidia-error-details': { code: 4010, message: 'NONCE_NOT_MATCHING' } },
        },
      ],
    }
    const input = { eats: [{ bundle: signEat(refusal, signer) }] }
    await expect(judge({ input })).rejects.toThrow('"NONCE_NOT_MATCHING" (4010)')
  })

  it('is refused when submods and tokens differ', async () => {
    const token = (bundle: [['JWT', string], Json]) => bundle[1]
    const cases: [string, (bundle: [['JWT', string], Json]) => unknown][] = [
      [
        '3 submods for 2',
        ([head, { 'GPU-0': first, 'GPU-1': second }]) => [head, { 'GPU-0': first, 'GPU-1': second }],
      ],
      ['digest of GPU-0', ([head, t]) => [head, { ...t, 'GPU-0': t['GPU-1'], 'GPU-1': t['GPU-0'] }]],
      ['digest of GPU-1', ([head, t]) => [head, { ...t, 'GPU-1': token(make({}))['GPU-1'] }]],
      [
        'does not name GPU-7',
        ([head, t]) => [head, { 'GPU-7': t['GPU-0'], 'GPU-1': t['GPU-1'], 'SWITCH-0': t['SWITCH-0'] }],
      ],
    ]
    for (const [problem, bundle] of cases) await expect(judge({ bundle })).rejects.toThrow(problem)
    await expect(judge({ overall: { submods: undefined } })).rejects.toThrow('submods is missing')
    const sha1 = { 'GPU-0': ['DIGEST', ['SHA256', '00']], 'GPU-1': [], 'SWITCH-0': [] }
    await expect(judge({ overall: { submods: sha1 } })).rejects.toThrow('digest of GPU-0')
  })

  it('is refused with any algorithm but ES384 and any header that says more', async () => {
    const [[, overall], tokens] = make({})
    const [, payload = '', signature = ''] = overall.split('.')
    const { kid, key } = signer
    const [jwk] = signer.jwks.keys
    const claims = fromUtf8(fromBase64Url(payload))
    const none = toBase64Url(utf8(JSON.stringify({ alg: 'none', kid })))
    const hmac = toBase64Url(utf8(JSON.stringify({ alg: 'HS256', kid })))
    const mac = createHmac('sha256', JSON.stringify(jwk)).update(`${hmac}.${payload}`).digest()
    const cases: [string, string][] = [
      ['not ES384', `${none}.${payload}.`],
      ['not ES384', `${hmac}.${payload}.${toBase64Url(mac)}`],
      ['not ES384', signCompact({ alg: 'ES256', kid }, claims, key)],
      ['not ES384', signCompact({ kid }, claims, key)],
      ['names no key', signCompact({ alg: 'ES384' }, claims, key)],
      ['names more', signCompact({ alg: 'ES384', kid, jwk }, claims, key)],
      ['names more', signCompact({ alg: 'ES384', kid, crit: ['b64'], b64: false }, claims, key)],
      ['header', `AAAA.${payload}.${signature}`],
      ['signature', `${overall.slice(0, -4)}AAAA`],
      ['signature', overall.slice(0, -4)],
    ]
    for (const [problem, token] of cases) {
      await expect(judge({ bundle: () => [['JWT', token], tokens] }), token).rejects.toThrow(problem)
    }
    const typed = signCompact({ alg: 'ES384', kid, typ: 'JWT' }, claims, key)
    expect(await judge({ bundle: () => [['JWT', typed], tokens] })).toHaveLength(3)
  })

  it('is refused when claims name one thing twice or are no object', async () => {
    for (const payload of ['{"iss":"a","iss":"b"}', '[]', 'null', '"text"', '{']) {
      const token = signCompact({ alg: 'ES384', kid: signer.kid }, payload, signer.key)
      await expect(judge({ bundle: ([, tokens]) => [['JWT', token], tokens] })).rejects.toThrow(
        'one JSON object',
      )
    }
  })

  it('is refused when any byte of any token changes', async () => {
    const [[, overall], tokens] = make({})
    const flip = (text: string, at: number): string =>
      text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    for (let at = 0; at < overall.length; at += 47) {
      await expect(judge({ bundle: () => [['JWT', flip(overall, at)], tokens] }), `${at}`).rejects.toThrow()
    }
    const first = String(tokens['GPU-0'])
    for (let at = 0; at < first.length; at += 191) {
      const changed = { ...tokens, 'GPU-0': flip(first, at) }
      await expect(judge({ bundle: () => [['JWT', overall], changed] }), `${at}`).rejects.toThrow('digest')
    }
  })
})

describe('a key set', () => {
  const [good] = signer.jwks.keys as [Json]
  const withKeys = (...keys: unknown[]) => judge({ input: { jwks: { keys } } })

  it('may hold other keys, and members that are unknown here', async () => {
    const rsa = { kty: 'RSA', kid: 'rsa', n: 'AQAB', e: 'AQAB' }
    expect(await withKeys(rsa, null, 7, { ...good, key_ops: ['verify'] })).toHaveLength(3)
  })

  it.each<[string, string, unknown[]]>([
    ['two keys of one name', 'one name', [good, good]],
    ['a key of another curve', 'crv', [{ ...good, crv: 'P-256' }]],
    ['a key for another algorithm', 'alg', [{ ...good, alg: 'ES256' }]],
    ['a key for encryption', 'use', [{ ...good, use: 'enc' }]],
    ['a symmetric key', 'kty', [{ kty: 'oct', kid: good.kid, k: 'AAAA' }]],
    ['a coordinate cut short', 'coordinate', [{ ...good, x: 'AAAA' }]],
    ['a point off the curve', 'not a point', [{ ...good, x: 'A'.repeat(64) }]],
    ['no key', 'not an object', []],
  ])('is refused with %s', async (_name, problem, keys) => {
    await expect(withKeys(...keys)).rejects.toThrow(problem)
  })

  it('is fetched from one address, whole, and never by a redirect', async () => {
    const answer = (body: string, status = 200) => new Response(body, { status })
    const asked: unknown[] = []
    const keys = await fetchServiceKeys(async (url, init) => {
      asked.push(url, init.redirect, init.signal instanceof AbortSignal)
      return answer(JSON.stringify(signer.jwks))
    })
    expect(asked).toEqual([NRAS_KEYS_URL, 'error', true])
    expect(await judge({ input: { jwks: keys } })).toHaveLength(3)
    await expect(fetchServiceKeys(async () => answer('{}', 503))).rejects.toThrow('503')
    await expect(fetchServiceKeys(async () => answer('{"a":1,"a":2}'))).rejects.toThrow(EatError)
    await expect(fetchServiceKeys(async () => answer(' '.repeat(600_000)))).rejects.toThrow('bytes')
    await expect(fetchServiceKeys(() => Promise.reject(new Error('offline')))).rejects.toThrow('stored JWKS')
  })
})

describe('gpu.eat', () => {
  const result = async (input: Partial<EatInput>, policy: EatPolicies = TRUSTED) => {
    const factors = new Factors()
    const eats = [{ bundle: make({}) }]
    await judgeEat(
      factors,
      { eats, jwks: signer.jwks, nonce: NONCE, devices: EXPECTED, now: NOW, ...input },
      policy,
    )
    const [factor] = factors.list(['gpu.eat'])
    return `${factor?.result}: ${factor?.reason}`
  }

  it('passes, fails with the reason, is skipped without a nonce, and does not apply without a token', async () => {
    expect(await result({})).toMatch(/^pass: .*GPU-0 GH100/)
    expect(await result({ now: NOW + 4e6 })).toMatch(/^fail: .*expired/)
    expect(await result({ nonce: undefined })).toMatch(/^skip: .*no nonce/)
    expect(await result({ eats: [] }, {})).toMatch(/^not-applicable/)
    expect(await result({ eats: [] })).toMatch(/^skip: .*the policy asks for one/)
    expect(await result({ eats: [] }, { eat: { required: false } })).toMatch(/^skip/)
    expect(await result({ eats: [] }, { eat: { required: true } })).toMatch(/^fail/)
    expect(await result({ eats: [{ bundle: undefined }] })).toMatch(/^fail/)
  })

  it('tells until when a pass holds: token, certificates that it names, certificates of the key', async () => {
    const until = async (change: Change): Promise<number | undefined> => {
      const { input, policy = TRUSTED } = change
      const eats = [{ bundle: make(change) }]
      const all = { eats, jwks: signer.jwks, nonce: NONCE, devices: EXPECTED, now: NOW, ...input }
      return judgeEat(new Factors(), all, policy)
    }
    expect(await until({})).toBe(NOW + 3_600_000 - 1)
    expect(await until({ policy: PINNED })).toBe(NOW + 3_600_000 - 1)
    expect(await until({ overall: { exp: NOW / 1000 + 60 } })).toBe(NOW + 59_999)
    expect(await until({ first: { exp: NOW / 1000 + 61 } })).toBe(NOW + 60_999)
    const claim = 'x-nvidia-gpu-driver-rim-cert-chain'
    const whole = eatClaims({ devices: DEVICES, nonce: NONCE, now: NOW }).devices[0]?.claims[claim] as Json
    const chain = { ...whole, 'x-nvidia-cert-expiration-date': new Date(NOW + 5000).toISOString() }
    expect(await until({ first: { [claim]: chain } })).toBe(NOW + 5000)
    const later = NOW + 46.9 * 3_600_000
    const spec = { now: later - (later % 1000) }
    expect(await until({ spec, policy: PINNED, input: { now: later } })).toBe(NOW + 47 * 3_600_000)
    expect(await until({ input: { jwks: undefined } })).toBeUndefined()
  })

  it('without a nonce to compare still demands one nonce of all tokens', async () => {
    const other = make({ first: { eat_nonce: '00'.repeat(32) } })
    expect(await result({ nonce: undefined, eats: [{ bundle: other }] })).toMatch(/^fail: GPU-0: eat_nonce/)
  })
})

describe('the parser of bundles', () => {
  it.each<[string, unknown]>([
    ['a text', 'JWT'],
    ['nothing', undefined],
    ['one member', [['JWT', 'a.b.c']]],
    ['three members', [['JWT', 'a.b.c'], { 'GPU-0': 'a.b.c' }, {}]],
    ['another kind of token', [['CWT', 'a.b.c'], { 'GPU-0': 'a.b.c' }]],
    ['a list of devices', [['JWT', 'a.b.c'], ['a.b.c']]],
    ['nothing for devices', [['JWT', 'a.b.c'], null]],
    ['no device', [['JWT', 'a.b.c'], {}]],
    ['a device of another kind', [['JWT', 'a.b.c'], { 'CPU-0': 'a.b.c' }]],
    ['a device with a padded number', [['JWT', 'a.b.c'], { 'GPU-00': 'a.b.c' }]],
    ['a token that is none', [['JWT', 'a.b.c'], { 'GPU-0': 'a.b' }]],
    ['a token with space', [['JWT', 'a.b.c '], { 'GPU-0': 'a.b.c' }]],
    ['a token that is too long', [['JWT', `a.${'b'.repeat(40_000)}.c`], { 'GPU-0': 'a.b.c' }]],
  ])('refuses %s', (_name, value) => {
    expect(() => parseEat(value)).toThrow(EatError)
  })

  it('throws nothing but EatError, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        looksLikeEat(value)
        expect(() => parseEat(value)).toThrow(EatError)
      }),
    )
    const part = fc.oneof(fc.constant('JWT'), fc.string(), fc.anything())
    fc.assert(
      fc.property(
        fc.tuple(fc.tuple(part, part), fc.dictionary(fc.constantFrom('GPU-0', 'x'), part)),
        (value) => {
          try {
            parseEat(value)
          } catch (error) {
            expect(error).toBeInstanceOf(EatError)
          }
        },
      ),
    )
  })
})

describe.skipIf(!haveVectors())('real bundles', () => {
  it.each(['hopperClaimsv3_detached_eat', 'switch_detached_eat'])(
    '%s is read, but nothing vouches for its key',
    async (name) => {
      const bundle = vectorJson(`nvidia/eat/${name}.json`)
      expect(looksLikeEat(bundle)).toBe(true)
      const { tokens } = parseEat(bundle)
      expect(tokens).toHaveLength(1)
      const now = 1_749_601_900_000
      await expect(verifyEats({ eats: [{ bundle }], now })).rejects.toThrow('no keys')
      const other = { eats: [{ bundle }], now, jwks: signer.jwks }
      await expect(verifyEats(other)).rejects.toThrow('no key is named')
    },
  )

  it.each([
    ['hopperClaimsv3_detached_eat', 'gpu', '478176379286082186618948445787393647364802107249'],
    ['switch_detached_eat', 'switch', '694931143880983876767046803400974855445978836716'],
  ] as const)('%s says what the claims table demands, and who the device is', async (name, kind, ueid) => {
    const [token] = parseEat(vectorJson(`nvidia/eat/${name}.json`)).tokens
    const claims = JSON.parse(fromUtf8(fromBase64Url(token?.text.split('.')[1] ?? ''))) as TokenClaims
    const device = checkDeviceClaims('device', kind, '3.0', claims, 1_749_601_900_000)
    expect(device.ueid).toBe(ueid)
    const report = kind === 'gpu' ? 'hopper_nvtrust' : 'nvswitch_ls10'
    const [leaf] = parseDeviceChain(vectorBytes(`nvidia/evidence/${report}.chain.pem`))
    expect(BigInt(`0x${leaf?.serial}`).toString()).toBe(ueid)
  })

  it('the unsigned one of a local verifier is refused', async () => {
    const bundle = vectorJson('dstack/gpu_attestation_h100.json')
    expect(looksLikeEat(bundle)).toBe(true)
    await expect(verifyEats({ eats: [{ bundle }], now: 1_784_207_900_000 })).rejects.toThrow('not ES384')
  })
})
