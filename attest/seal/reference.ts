/**
 * A second implementation of the format, written from README.md with node:crypto and tweetnacl alone. Tests and the
 * bench hold the product against it. Nothing of the product imports this file, and it imports nothing of the product.
 */

import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import nacl from 'tweetnacl'

const ML_KEM_SPKI = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex')
const ML_KEM_SEED_PKCS8 = Buffer.from('3054020100300b060960864801650304040204428040', 'hex')
const X25519_SPKI = Buffer.from('302a300506032b656e032100', 'hex')
const X25519_PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const XWING_LABEL = Buffer.from('5c2e2f2f5e5c', 'hex')

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const text = (value: string): Buffer => Buffer.from(value, 'utf8')
const privateKey = (prefix: Buffer, raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'pkcs8' })
const publicKey = (prefix: Buffer, raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' })
const rawPublic = (key: KeyObject, bytes: number): Buffer =>
  key.export({ format: 'der', type: 'spki' }).subarray(-bytes)

/** An X-Wing key pair of a 32-byte seed (draft-connolly-cfrg-xwing-kem). */
interface XWingKeyPair {
  readonly publicKey: Buffer
  readonly mlKem: KeyObject
  readonly x25519: KeyObject
}

/** The X-Wing key pair of a 32-byte seed: SHAKE-256 of it is the ML-KEM seed (64 bytes) and the X25519 key (32). */
export function xwingKeyPair(seed: Uint8Array): XWingKeyPair {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest()
  const mlKem = privateKey(ML_KEM_SEED_PKCS8, expanded.subarray(0, 64))
  const x25519 = privateKey(X25519_PKCS8, expanded.subarray(64))
  const halves = [rawPublic(createPublicKey(mlKem), 1184), rawPublic(createPublicKey(x25519), 32)]
  return { publicKey: Buffer.concat(halves), mlKem, x25519 }
}

function combine(ssM: Uint8Array, ssX: Uint8Array, ctX: Uint8Array, pkX: Uint8Array): Buffer {
  return createHash('sha3-256')
    .update(Buffer.concat([ssM, ssX, ctX, pkX, XWING_LABEL]))
    .digest()
}

/** The 32-byte shared secret of a 1120-byte encapsulation. */
export function xwingDecapsulate(pair: XWingKeyPair, enc: Uint8Array): Buffer {
  const ctX = enc.subarray(1088)
  const ssM = decapsulate(pair.mlKem, enc.subarray(0, 1088))
  const ssX = diffieHellman({ privateKey: pair.x25519, publicKey: publicKey(X25519_SPKI, ctX) })
  return combine(ssM, ssX, ctX, pair.publicKey.subarray(1184))
}

/** Encapsulates with fresh randomness to a 1216-byte public key. */
export function xwingEncapsulate(pk: Uint8Array): { enc: Buffer; sharedSecret: Buffer } {
  const { sharedKey, ciphertext } = encapsulate(publicKey(ML_KEM_SPKI, pk.subarray(0, 1184)))
  const ephemeral = generateKeyPairSync('x25519')
  const ctX = rawPublic(ephemeral.publicKey, 32)
  const ssX = diffieHellman({
    privateKey: ephemeral.privateKey,
    publicKey: publicKey(X25519_SPKI, pk.subarray(1184)),
  })
  return {
    enc: Buffer.concat([ciphertext, ctX]),
    sharedSecret: combine(sharedKey, ssX, ctX, pk.subarray(1184)),
  }
}

const extract = (salt: Uint8Array, ikm: Uint8Array): Buffer => createHmac('sha256', salt).update(ikm).digest()

function expand(prk: Uint8Array, info: Uint8Array, length: number): Buffer {
  let block = Buffer.alloc(0)
  let out = Buffer.alloc(0)
  for (let i = 1; out.length < length; i++) {
    block = createHmac('sha256', prk)
      .update(Buffer.concat([block, info, Buffer.from([i])]))
      .digest()
    out = Buffer.concat([out, block])
  }
  return out.subarray(0, length)
}

/** Export(context, length) of RFC 9180 in base mode, for the suite 0x647A, 0x0001, 0xFFFF. */
export function hpkeExport(
  sharedSecret: Uint8Array,
  info: Uint8Array,
  context: Uint8Array,
  length: number,
): Buffer {
  const suite = Buffer.concat([text('HPKE'), Buffer.from('647a0001ffff', 'hex')])
  const labeledExtract = (salt: Uint8Array, label: string, ikm: Uint8Array): Buffer =>
    extract(salt, Buffer.concat([text('HPKE-v1'), suite, text(label), ikm]))
  const labeledExpand = (prk: Uint8Array, label: string, data: Uint8Array, bytes: number): Buffer =>
    expand(
      prk,
      Buffer.concat([Buffer.from([bytes >> 8, bytes & 255]), text('HPKE-v1'), suite, text(label), data]),
      bytes,
    )
  const none = Buffer.alloc(0)
  const pskIdHash = labeledExtract(none, 'psk_id_hash', none)
  const schedule = Buffer.concat([Buffer.from([0]), pskIdHash, labeledExtract(none, 'info_hash', info)])
  const secret = labeledExtract(sharedSecret, 'secret', none)
  return labeledExpand(labeledExpand(secret, 'exp', schedule, 32), 'sec', context, length)
}

function nonce(prefix: Uint8Array, index: number, flag: number): Buffer {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE((BigInt(index) << 8n) | BigInt(flag))
  return Buffer.concat([prefix, counter])
}

interface ReferenceFrame {
  readonly type: number
  readonly content: Buffer
}

/** Opens frames up to the final one; throws on anything wrong. */
function openFrames(bytes: Buffer, key: Buffer, prefix: Buffer): ReferenceFrame[] {
  const frames: ReferenceFrame[] = []
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = bytes.readUInt32BE(at)
    const box = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length
    const flag = at === bytes.length ? 1 : 0
    const plain = nacl.secretbox.open(box, nonce(prefix, index, flag), key)
    if (plain === null) throw new Error(`frame ${index} does not open`)
    const view = Buffer.from(plain)
    frames.push({ type: view.readUInt8(0), content: view.subarray(5, 5 + view.readUInt32BE(1)) })
  }
  return frames
}

interface ReferenceRequest {
  readonly ctx: Buffer
  readonly h: Buffer
  readonly enc: Buffer
  readonly auth: Buffer
  /** What the auth signature is over. */
  readonly authMessage: Buffer
  readonly frames: ReferenceFrame[]
  readonly body: Buffer
  readonly rsec: Buffer
  readonly requestHash: Buffer
}

/** Opens a sealed request with the epoch's key pair. */
export function openRequest(request: Uint8Array, pair: XWingKeyPair): ReferenceRequest {
  const bytes = Buffer.from(request)
  const start = 4 + bytes.readUInt32BE(0)
  const ctx = bytes.subarray(4, start)
  const enc = bytes.subarray(start, start + 1120)
  const auth = bytes.subarray(start + 1120, start + 1184)
  const commit = bytes.subarray(start + 1184, start + 1216)
  const { epochId, claimsDigest } = JSON.parse(ctx.toString('utf8')) as {
    epochId: string
    claimsDigest: string
  }
  const h = sha256(text('chrysalis/context/1\0'), ctx)
  const info = Buffer.concat([text('chrysalis/seal/1\0'), Buffer.from(epochId + claimsDigest, 'hex')])
  const shared = xwingDecapsulate(pair, enc)
  const secrets = hpkeExport(shared, info, Buffer.concat([text('request\0'), h]), 80)
  if (!secrets.subarray(48).equals(commit)) throw new Error('the commitment differs')
  const frames = openFrames(bytes.subarray(start + 1216), secrets.subarray(0, 32), secrets.subarray(32, 48))
  return {
    ctx,
    h,
    enc,
    auth,
    authMessage: Buffer.concat([text('chrysalis/request-auth/1\0'), h, sha256(enc)]),
    frames,
    body: Buffer.concat(frames.map((frame) => frame.content)),
    rsec: hpkeExport(shared, info, Buffer.concat([text('response\0'), h]), 32),
    requestHash: sha256(bytes),
  }
}

/** Seals a response without padding: `contents` as events, the last one as the final frame. */
export function sealResponse(
  request: ReferenceRequest,
  rnonce: Uint8Array,
  contents: readonly Uint8Array[],
): { response: Buffer; transcript: Buffer } {
  const sealId = Buffer.from((JSON.parse(request.ctx.toString('utf8')) as { sealId: string }).sealId, 'hex')
  const prk = extract(Buffer.concat([request.enc, rnonce]), request.rsec)
  const secrets = expand(prk, text('chrysalis/response/1'), 80)
  const commit = secrets.subarray(48)
  const units: Uint8Array[] = [sealId, rnonce, commit]
  let transcript = sha256(text('chrysalis/transcript/1\0'), request.requestHash, rnonce, commit)
  for (const [index, content] of contents.entries()) {
    const flag = index === contents.length - 1 ? 1 : 0
    const head = Buffer.alloc(5)
    head.writeUInt8(flag === 1 ? 3 : 1, 0)
    head.writeUInt32BE(content.length, 1)
    const plain = Buffer.concat([head, content])
    const box = nacl.secretbox(plain, nonce(secrets.subarray(32, 48), index, flag), secrets.subarray(0, 32))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(box.length)
    units.push(length, box)
    if (flag === 0) transcript = sha256(transcript, length, box)
  }
  return { response: Buffer.concat(units), transcript }
}
