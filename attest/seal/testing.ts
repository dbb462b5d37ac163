/** Fixtures for tests. Nothing of the product imports this file. */

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { concat, fromBase64Url, toBase64 } from '../bytes.ts'
import { ed25519Pkcs8, sha256 } from '../crypto.ts'
import { EpochKeys, type EpochKeysOptions } from '../epoch/index.ts'
import type { Cipher } from './cipher.ts'
import { secretbox } from './cipher.ts'
import { SealError } from './errors.ts'
import { type OpenedRequest, type OpenInternals, openSealed } from './open.ts'
import { ResponseOpener } from './response-opener.ts'
import { ResponseSealer } from './response-sealer.ts'
import { type SealedRequest, type SealInternals, type SealRequestContext, seal } from './seal.ts'

/** Sealing switched off: the tag is the end of the nonce, so that frames keep their order and nothing else. */
export const plaintextCipher: Cipher = {
  box: (message, nonce) => concat(nonce.subarray(8), message),
  open: (box, nonce) => (Buffer.compare(box.subarray(0, 16), nonce.subarray(8)) === 0 ? box.slice(16) : null),
}

/** An Ed25519 key pair from one repeated seed byte. */
export function fixedKey(byte: number): { privateKey: KeyObject; publicKey: Uint8Array } {
  const seed = Buffer.from(ed25519Pkcs8(new Uint8Array(32).fill(byte)))
  const privateKey = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' })
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  return { privateKey, publicKey: fromBase64Url(jwk.x ?? '') }
}

export const CLAIMS_DIGEST = sha256(new Uint8Array([1]))
export const START = Date.UTC(2026, 0, 1)

/** Two clocks that move together, by hand. */
export class Clock {
  wall = START
  steady = 1_000

  readonly now = (): number => this.wall
  readonly monotonic = (): number => this.steady

  advance(ms: number): void {
    this.wall += ms
    this.steady += ms
  }
}

/** The code of the SealError that `action` ends with, or what else happened. */
export async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action()
  } catch (error) {
    return error instanceof SealError ? error.code : String(error)
  }
  return 'no error'
}

/** Everything that one sender and one receiver need. */
export interface Fixture {
  readonly clock: Clock
  readonly epochs: EpochKeys
  readonly payer: ReturnType<typeof fixedKey>
  context(changes?: Partial<SealRequestContext>): SealRequestContext
  seal(
    body: Uint8Array,
    changes?: Partial<SealRequestContext>,
    internals?: SealInternals,
  ): Promise<SealedRequest>
  open(request: Uint8Array, internals?: OpenInternals): Promise<OpenedRequest>
}

export async function fixture(options: Partial<EpochKeysOptions> = {}): Promise<Fixture> {
  const clock = new Clock()
  const epochs = await EpochKeys.create({
    now: clock.now,
    monotonic: clock.monotonic,
    timer: () => () => {},
    ...options,
  })
  epochs.current().bindClaims(CLAIMS_DIGEST)
  const payer = fixedKey(7)
  let serial = 0
  const context = (changes: Partial<SealRequestContext> = {}): SealRequestContext => ({
    requestId: `req-${++serial}`,
    tee: 'simulated-tdx',
    gateway: 'gateway-1',
    method: 'POST',
    path: '/v1/chat/completions',
    model: { id: 'chrysalis-tiny', sha256: 'ab'.repeat(32) },
    payer: { kind: 'channel', key: toBase64(payer.publicKey), channel: 'EQ-channel', account: 'a1' },
    quoteDigest: 'cd'.repeat(32),
    maxCharge: '1000000',
    maxPromptTokens: 4096,
    maxOutputTokens: 256,
    n: 1,
    responseMode: { stream: true, padding: 'bucket', cadence: 0 },
    deadline: clock.now() + 60_000,
    ...changes,
  })
  return {
    clock,
    epochs,
    payer,
    context,
    seal: (body, changes, internals) => {
      const { id, publicKey, notAfter } = epochs.current()
      return seal(
        {
          epoch: { id, publicKey, notAfter, claimsDigest: CLAIMS_DIGEST },
          context: context(changes),
          body,
          sign: (message) => sign(null, message, payer.privateKey),
          now: clock.now,
        },
        internals,
      )
    },
    open: (request, internals) =>
      openSealed(request, { epochs, authKey: () => payer.publicKey, now: clock.now }, internals),
  }
}

/** A matching sealer and opener without the KEM, for tests of streams alone. */
export function responsePair(options: { padded?: boolean; cipher?: Cipher } = {}): {
  sealer: ResponseSealer
  opener: () => ResponseOpener
} {
  const { padded = true, cipher = secretbox } = options
  const common = {
    sealId: new Uint8Array(16).fill(1),
    enc: new Uint8Array(1120).fill(3),
    requestHash: new Uint8Array(32).fill(4),
    cipher,
  }
  const rnonce = new Uint8Array(32).fill(5)
  return {
    sealer: new ResponseSealer({ ...common, rsec: new Uint8Array(32).fill(2), rnonce, padded }),
    opener: () => new ResponseOpener({ ...common, rsec: new Uint8Array(32).fill(2) }),
  }
}
