import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { toBase64, toHex } from '../bytes.ts'
import { Factors } from '../policy/factors.ts'
import { type GpuCertificateSpec, makeGpuCertificate, newGpuKey } from '../simulate/gpu-certificates.ts'
import {
  type EatClaims,
  type EatSpec,
  eatClaims,
  makeServiceCa,
  makeServiceSigner,
  SERVICE_NAMES,
  SIMULATED_EAT_ISSUER,
  signEat,
} from '../simulate/gpu-eat.ts'
import { type EatInput, type EatPolicies, judgeEat } from './eat.ts'
import {
  type Change,
  ca,
  DEVICES,
  EXPECTED,
  gpu,
  type Json,
  judge,
  make,
  NONCE,
  NOW,
  nvSwitch,
  PINNED,
  signer,
  TRUSTED,
} from './testing-eat.ts'

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
