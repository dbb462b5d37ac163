import { sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromHex, utf8 } from './bytes.ts'
import { isSmallOrderKey, verifyEd25519 } from './crypto.ts'
import { fixedKey } from './seal/testing.ts'

describe('verifyEd25519', () => {
  const { privateKey, publicKey } = fixedKey(1)
  const message = utf8('message')
  const signature = new Uint8Array(sign(null, message, privateKey))

  it('takes the signature of the key and no other', () => {
    expect(verifyEd25519(publicKey, message, signature)).toBe(true)
    expect(verifyEd25519(publicKey, utf8('other'), signature)).toBe(false)
    expect(verifyEd25519(fixedKey(2).publicKey, message, signature)).toBe(false)
  })

  it('refuses a key of small order, under which anyone signs anything', () => {
    const identity = Uint8Array.of(1, ...new Uint8Array(31))
    const forged = Uint8Array.of(...identity, ...new Uint8Array(32))
    expect(verifyEd25519(identity, message, forged)).toBe(false)
    const signed = identity.slice()
    signed[31] = 0x80
    expect([isSmallOrderKey(identity), isSmallOrderKey(signed), isSmallOrderKey(publicKey)]).toEqual([
      true,
      true,
      false,
    ])
  })

  it('leaves the key as it is, also in a Buffer, whose own slices are views', () => {
    const key = Buffer.from(publicKey)
    key[31] = (key[31] ?? 0) | 0x80
    const before = key.toString('hex')
    isSmallOrderKey(key)
    expect(key.toString('hex')).toBe(before)
  })

  it('refuses S + L, which says the same with other bytes', () => {
    const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
    const malleated = signature.slice()
    let carry = 0
    for (let i = 0; i < 32; i++) {
      const sum = (malleated[32 + i] ?? 0) + (order[i] ?? 0) + carry
      malleated[32 + i] = sum & 255
      carry = sum >> 8
    }
    expect(carry).toBe(0)
    expect(verifyEd25519(publicKey, message, malleated)).toBe(false)
  })

  it('is false, and throws nothing, for other lengths', () => {
    expect(verifyEd25519(publicKey.subarray(1), message, signature)).toBe(false)
    expect(verifyEd25519(publicKey, message, signature.subarray(1))).toBe(false)
    expect(verifyEd25519(new Uint8Array(32).fill(255), message, signature)).toBe(false)
  })
})
