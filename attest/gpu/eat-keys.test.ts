import { describe, expect, it } from 'vitest'
import { EatError, fetchServiceKeys, NRAS_KEYS_URL } from './eat.ts'
import { type Json, judge, signer } from './testing-eat.ts'

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
