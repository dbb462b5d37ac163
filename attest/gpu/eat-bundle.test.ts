import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64Url, fromUtf8 } from '../bytes.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { parseDeviceChain } from './chain.ts'
import { EatError, looksLikeEat, parseEat, verifyEats } from './eat.ts'
import { checkDeviceClaims, type TokenClaims } from './eat-claims.ts'
import { signer } from './testing-eat.ts'

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
