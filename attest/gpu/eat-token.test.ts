import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../bytes.ts'
import { signCompact } from '../simulate/gpu-eat.ts'
import { type Json, judge, make, signer } from './testing-eat.ts'

describe('a token of NRAS', () => {
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
