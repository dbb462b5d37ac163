import { AEAD_EXPORT_ONLY, CipherSuite, KDF_HKDF_SHA256, KEM_MLKEM768_X25519 } from 'hpke'
import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import { hkdfExpandSha256, hkdfSha256, hmacSha256 } from '../crypto.ts'
import { ENC_BYTES, generateKemKeyPair, kemKeyPairFromSeed, PUBLIC_KEY_BYTES, setupSender } from './kem.ts'

// The hpke library with its own WebCrypto parts, as a judge of ours.
const library = new CipherSuite(KEM_MLKEM768_X25519, KDF_HKDF_SHA256, AEAD_EXPORT_ONLY)
const info = utf8('info')
const context = utf8('context')

describe('HPKE on node:crypto', () => {
  it('agrees with itself', async () => {
    const pair = await generateKemKeyPair()
    const sender = await setupSender(pair.publicKey, info)
    expect([pair.publicKey.length, sender.enc.length]).toEqual([PUBLIC_KEY_BYTES, ENC_BYTES])
    const receiver = await pair.setup(sender.enc, info)
    expect(toHex(await receiver.export(context, 80))).toBe(toHex(await sender.export(context, 80)))
  })

  it('opens what the library sealed', async () => {
    const pair = await generateKemKeyPair()
    const key = await library.DeserializePublicKey(pair.publicKey)
    const { encapsulatedSecret, ctx } = await library.SetupSender(key, { info })
    const receiver = await pair.setup(encapsulatedSecret, info)
    expect(toHex(await receiver.export(context, 80))).toBe(toHex(await ctx.Export(context, 80)))
  })

  it('seals what the library opens', async () => {
    const pair = await library.GenerateKeyPair()
    const sender = await setupSender(await library.SerializePublicKey(pair.publicKey), info)
    const ctx = await library.SetupRecipient(pair, sender.enc, { info })
    expect(toHex(await sender.export(context, 80))).toBe(toHex(await ctx.Export(context, 80)))
  })

  it('makes the same key of a seed as the library', async () => {
    const seed = new Uint8Array(32).fill(3)
    const key = await library.DeserializePrivateKey(seed)
    const derived = await kemKeyPairFromSeed(seed, new Uint8Array(0))
    const sender = await setupSender((await generateKemKeyPair()).publicKey, info)
    const theirs = await library.SetupRecipient(key, sender.enc, { info })
    const ours = await derived.setup(sender.enc, info)
    expect(toHex(await ours.export(context, 32))).toBe(toHex(await theirs.Export(context, 32)))
  })

  it('gives other secrets for another info, and refuses a point of small order', async () => {
    const pair = await generateKemKeyPair()
    const sender = await setupSender(pair.publicKey, info)
    const other = await pair.setup(sender.enc, utf8('other'))
    expect(toHex(await other.export(context, 32))).not.toBe(toHex(await sender.export(context, 32)))
    const zeroPoint = sender.enc.slice().fill(0, 1088)
    await expect(pair.setup(zeroPoint, info)).rejects.toThrow()
    await expect(pair.setup(sender.enc.subarray(1), info)).rejects.toThrow()
  })

  it('expands keys as HKDF does', () => {
    const [ikm, salt] = [utf8('ikm'), utf8('salt')]
    for (const length of [0, 1, 32, 33, 80, 8160]) {
      const whole = length === 0 ? new Uint8Array(0) : hkdfSha256(ikm, salt, info, length)
      expect(toHex(hkdfExpandSha256(hmacSha256(salt, ikm), info, length))).toBe(toHex(whole))
    }
    expect(() => hkdfExpandSha256(ikm, info, 8161)).toThrow(
      expect.objectContaining({ code: 'ERR_CRYPTO_INPUT' }),
    )
  })
})
