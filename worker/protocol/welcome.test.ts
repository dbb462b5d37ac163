import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBase64, fromHex, toHex } from '../../attest/bytes.ts'
import { sha256, verifyEd25519 } from '../../attest/crypto.ts'
import {
  type GatewayMessageOf,
  LinkError,
  parseGatewayMessage,
  parseWorkerMessage,
  type WorkerMessageOf,
  welcomeMessage,
} from './index.ts'

interface Vector {
  name: string
  challenge: GatewayMessageOf<'challenge'>
  join: WorkerMessageOf<'join'>
  welcome: GatewayMessageOf<'welcome'>
  tlsExporter: string | null
  message: string
}

const { publicKey, vectors } = JSON.parse(
  readFileSync(new URL('./welcome.vectors.json', import.meta.url), 'utf8'),
) as { publicKey: string; vectors: Vector[] }

const LABEL = 'chrysalis/welcome/1\0'

/** The bytes that are signed for a vector, with what differs. */
function bytesOf(vector: Vector, change: Partial<Vector> = {}): Uint8Array {
  const { challenge, join, welcome, tlsExporter } = { ...vector, ...change }
  return welcomeMessage({
    challenge,
    join,
    welcome,
    claimsDigest: sha256(fromBase64(String(vector.welcome.gateway.evidence.claims))),
    ...(tlsExporter !== null && { tlsExporter: fromHex(tlsExporter) }),
  })
}

/** Every way to reach a string, a number or null in a JSON value. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, item]) => leaves(item, [...path, name]))
}

/** A copy with another value at one place. */
function changed<T>(value: T, path: readonly string[], by: number): T {
  const [name, ...rest] = path
  if (name === undefined) {
    const other = typeof value === 'number' ? value + by : typeof value === 'string' ? flip(value, by) : by
    return other as T
  }
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  copy[name] = changed(copy[name], rest, by)
  return copy as T
}

// Still base64 of as many bytes, and another text.
function flip(text: string, at: number): string {
  const place = at % Math.max(1, text.length - 3)
  return text.slice(0, place) + (text[place] === 'A' ? 'B' : 'A') + text.slice(place + 1)
}

test('there are vectors, of messages that the link takes', () => {
  expect(vectors).toHaveLength(3)
  for (const { challenge, join, welcome } of vectors) {
    expect(parseGatewayMessage(JSON.stringify(challenge))).toEqual(challenge)
    expect(parseWorkerMessage(JSON.stringify(join))).toEqual(join)
    expect(parseGatewayMessage(JSON.stringify(welcome))).toEqual(welcome)
  }
})

describe.each(vectors)('a welcome, $name', (vector) => {
  test('is signed over these very bytes', () => {
    const bytes = bytesOf(vector)
    expect(toHex(bytes)).toBe(vector.message)
    expect(bytes).toHaveLength(LABEL.length + 7 * 32)
    expect(verifyEd25519(fromHex(publicKey), bytes, fromBase64(vector.welcome.signature))).toBe(true)
  })

  test('property: any other handshake or content is other bytes; evidence and the signature stand apart', () => {
    const places = (['challenge', 'join', 'welcome'] as const).flatMap((message) =>
      leaves(vector[message]).map((path) => ({ message, path })),
    )
    expect(places.length).toBeGreaterThan(20)
    const property = fc.property(
      fc.constantFrom(...places),
      fc.integer({ min: 1, max: 60 }),
      ({ message, path }, by) => {
        const apart =
          path[0] === 'evidence' ||
          (message === 'welcome' && ['gateway', 'signature'].includes(path[0] ?? ''))
        const bytes = bytesOf(vector, { [message]: changed(vector[message], path, by) })
        expect(toHex(bytes) === vector.message, `${message}.${path.join('.')}`).toBe(apart)
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  test('does not depend on the order of members', () => {
    const turned = <T extends object>(value: T) => Object.fromEntries(Object.entries(value).reverse()) as T
    const { challenge, join, welcome } = vector
    const bytes = bytesOf(vector, {
      challenge: turned(challenge),
      join: turned(join),
      welcome: turned(welcome),
    })
    expect(toHex(bytes)).toBe(vector.message)
  })
})

test('a part that is not 32 bytes is an error of ours', () => {
  const [vector] = vectors
  if (!vector) throw new Error('no vectors')
  const { challenge, join, welcome } = vector
  const wrong = { challenge, join, welcome, claimsDigest: new Uint8Array(31) }
  expect(() => welcomeMessage(wrong)).toThrow(LinkError)
  expect(() => bytesOf(vector, { tlsExporter: '00' })).toThrow(LinkError)
})
