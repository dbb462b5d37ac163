import { ed25519 } from '@noble/curves/ed25519.js'
import { Address, beginCell } from '@ton/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkVoucherKey,
  generateKey,
  privateKeyFromSeed,
  publicKeyObject,
  rawPublicKey,
  seedOf,
} from './keys.ts'
import {
  RELEASE_TAG,
  releaseHash,
  signRelease,
  signVoucher,
  VOUCHER_TAG,
  verifyRelease,
  verifyVoucher,
  voucherHash,
} from './voucher.ts'

function cellHash(tag: number, globalId: number, channel: Address, amount: bigint): string {
  return beginCell()
    .storeUint(tag, 32)
    .storeInt(globalId, 32)
    .storeAddress(channel)
    .storeCoins(amount)
    .endCell()
    .hash()
    .toString('hex')
}

const address = fc
  .tuple(fc.constantFrom(0, -1, 7, -128, 127), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([workchain, hash]) => new Address(workchain, Buffer.from(hash)))
const coins = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 120n) - 1n }),
  fc.integer({ min: 0, max: 15 }).chain((bytes) => {
    const top = 1n << BigInt(8 * bytes)
    return fc.constantFrom(top - 1n, top / 2n, top > 1n << 119n ? 0n : top)
  }),
)
const globalId = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

describe('hash by hand', () => {
  it('equals the hash of the cell that @ton/core builds', () => {
    fc.assert(
      fc.property(globalId, address, coins, (id, channel, amount) => {
        const voucher = voucherHash({ globalId: id, channel, ceiling: amount })
        expect(voucher.toString('hex')).toBe(cellHash(VOUCHER_TAG, id, channel, amount))
        const release = releaseHash({ globalId: id, channel, amount })
        expect(release.toString('hex')).toBe(cellHash(RELEASE_TAG, id, channel, amount))
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses amounts that Coins cannot hold', () => {
    const channel = new Address(0, Buffer.alloc(32))
    for (const ceiling of [-1n, 1n << 120n]) {
      expect(() => voucherHash({ globalId: -217, channel, ceiling })).toThrow(/2\^120/)
    }
  })
})

describe('signatures', () => {
  const key = generateKey()
  const publicKey = rawPublicKey(key)
  const channel = new Address(0, Buffer.alloc(32, 3))
  const terms = { globalId: -217, channel, ceiling: 5_000_000_000n }

  it('verify with a kept KeyObject and with raw bytes', () => {
    const signature = signVoucher(key, terms)
    expect(signature).toHaveLength(64)
    expect(verifyVoucher(publicKeyObject(publicKey), terms, signature)).toBe(true)
    expect(verifyVoucher(publicKey, terms, signature)).toBe(true)
  })

  it('hold for these terms only', () => {
    const signature = signVoucher(key, terms)
    const others = [
      { ...terms, globalId: -239 },
      { ...terms, channel: new Address(0, Buffer.alloc(32, 4)) },
      { ...terms, channel: new Address(-1, Buffer.alloc(32, 3)) },
      { ...terms, ceiling: 5_000_000_001n },
    ]
    for (const other of others) expect(verifyVoucher(publicKey, other, signature)).toBe(false)
    expect(verifyVoucher(rawPublicKey(generateKey()), terms, signature)).toBe(false)
    expect(verifyVoucher(publicKey, terms, signature.subarray(0, 63))).toBe(false)
    expect(verifyVoucher(publicKey, terms, Buffer.concat([signature, Buffer.alloc(1)]))).toBe(false)
  })

  it('any flipped bit is noticed', () => {
    const signature = signVoucher(key, terms)
    for (let bit = 0; bit < 512; bit++) {
      const flipped = Buffer.from(signature)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(verifyVoucher(publicKey, terms, flipped)).toBe(false)
    }
  })

  it('a voucher is no release and a release no voucher', () => {
    const release = { globalId: -217, channel, amount: terms.ceiling }
    expect(verifyRelease(publicKey, release, signRelease(key, release))).toBe(true)
    expect(verifyRelease(publicKey, release, signVoucher(key, terms))).toBe(false)
    expect(verifyVoucher(publicKey, terms, signRelease(key, release))).toBe(false)
  })

  it('malleated: S + L is refused, as the TVM refuses it', () => {
    const signature = signVoucher(key, terms)
    const order = (1n << 252n) + 27742317777372353535851937790883648493n
    let s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
    const tail = Buffer.alloc(32)
    for (let i = 0; i < 32; i++, s >>= 8n) tail[i] = Number(s & 0xffn)
    expect(verifyVoucher(publicKey, terms, Buffer.concat([signature.subarray(0, 32), tail]))).toBe(false)
  })

  it('keys survive the way through raw bytes', () => {
    const again = privateKeyFromSeed(seedOf(key))
    expect(rawPublicKey(again)).toEqual(publicKey)
    expect(() => privateKeyFromSeed(Buffer.alloc(31))).toThrow(/32 bytes/)
    expect(() => publicKeyObject(Buffer.alloc(33))).toThrow(/32 bytes/)
  })
})

describe('checkVoucherKey', () => {
  const small = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ]

  it('takes honest keys', () => {
    for (let i = 0; i < 8; i++) expect(() => checkVoucherKey(rawPublicKey(generateKey()))).not.toThrow()
  })

  it.each(small)('refuses the small-order key %s', (key) => {
    expect(() => checkVoucherKey(Buffer.from(key, 'hex'))).toThrow(/ERR|order|point/)
  })

  it('refuses an honest key with a component of order 8, for which verifiers disagree', () => {
    const torsion = ed25519.Point.fromHex(small[4] ?? '')
    for (let i = 0; i < 4; i++) {
      const honest = ed25519.Point.fromBytes(rawPublicKey(generateKey()))
      expect(() => checkVoucherKey(honest.add(torsion).toBytes())).toThrow(/small order/)
    }
  })

  it('refuses what is no canonical point, and other lengths', () => {
    const notCanonical = Buffer.from(
      'f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'hex',
    )
    expect(() => checkVoucherKey(notCanonical)).toThrow(/canonical/)
    expect(() => checkVoucherKey(Buffer.alloc(32, 2))).toThrow(/canonical/)
    expect(() => checkVoucherKey(Buffer.alloc(31))).toThrow(/32 bytes/)
  })
})
