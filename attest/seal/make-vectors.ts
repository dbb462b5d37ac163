/**
 * Makes seal.vectors.json: `node attest/seal/make-vectors.ts`. Every random value is fixed; the encapsulation is that
 * of the published X-Wing vector. The test compares what this file builds with what is committed.
 */

import { sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { AEAD_EXPORT_ONLY, CipherSuite, KDF_HKDF_SHA256, KEM_MLKEM768_X25519 } from 'hpke'
import { fromHex, toBase64, toHex, utf8 } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import { Epoch, epochId } from '../epoch/epoch.ts'
import { kemKeyPairFromSeed, type SetupSender } from '../epoch/kem.ts'
import { DEFAULT_REPLAY_LIMITS, UsedRequests } from '../epoch/replay.ts'
import { encodeDetails, receiptDigest, signReceipt } from '../receipt/index.ts'
import { encodeContext } from './context.ts'
import { openSealed } from './open.ts'
import { hpkeExport, xwingKeyPair } from './reference.ts'
import { seal } from './seal.ts'
import { fixedKey } from './testing.ts'

const published = JSON.parse(readFileSync(new URL('./xwing.vectors.json', import.meta.url), 'utf8')) as {
  seed: string
  ct: string[]
  ss: string
}

/** The published X-Wing vector that all cases share. */
export const XWING = {
  seed: fromHex(published.seed),
  publicKey: new Uint8Array(xwingKeyPair(fromHex(published.seed)).publicKey),
  enc: fromHex(published.ct.join('')),
  sharedSecret: fromHex(published.ss),
}

/** SetupBaseS with the published encapsulation instead of a fresh one. */
export const fixedSetup: SetupSender = async (publicKey, info) => {
  const kem = () => ({
    ...KEM_MLKEM768_X25519(),
    Encap: async () => ({ shared_secret: XWING.sharedSecret.slice(), enc: XWING.enc.slice() }),
  })
  const suite = new CipherSuite(kem, KDF_HKDF_SHA256, AEAD_EXPORT_ONLY)
  const { encapsulatedSecret, ctx } = await suite.SetupSender(await suite.DeserializePublicKey(publicKey), {
    info,
  })
  return { enc: encapsulatedSecret, export: (context, length) => ctx.Export(context, length) }
}

const CLAIMS = sha256(utf8('claims'))
export const NOW = Date.UTC(2026, 0, 1)
const payer = fixedKey(7)
const enclave = fixedKey(8)

/** A fresh epoch of the published key, so that each case opens on an empty replay set. */
export async function vectorEpoch(): Promise<Epoch> {
  const epoch = new Epoch({
    keyPair: await kemKeyPairFromSeed(XWING.seed, XWING.publicKey),
    notBefore: NOW,
    notAfter: NOW + 600_000,
    usedRequests: new UsedRequests({
      capacity: DEFAULT_REPLAY_LIMITS.capacity,
      keepMs: 1,
      monotonic: () => 0,
    }),
  })
  epoch.bindClaims(CLAIMS)
  return epoch
}

/** Body bytes given by rule: byte i is 31·i mod 256. */
export function patternBody(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, i) => (31 * i) & 255)
}

interface Plan {
  name: string
  body: Uint8Array
  bodyPattern: boolean
  padding: 'bucket' | 'off'
  frames: { type: 0 | 1 | 2; content: string }[]
}

const PLANS: Plan[] = [
  {
    name: 'streamed chat, bucket padding',
    body: utf8(
      '{"messages":[{"content":"Good morning","role":"user"}],"model":"chrysalis-tiny","stream":true}',
    ),
    bodyPattern: false,
    padding: 'bucket',
    frames: [
      { type: 0, content: '' },
      { type: 1, content: '{"choices":[{"delta":{"content":"Guten"},"index":0}]}' },
      { type: 1, content: '{"choices":[{"delta":{"content":" Morgen"},"index":0}]}' },
    ],
  },
  {
    name: 'whole body, no padding',
    body: utf8('{"input":"Good night","model":"chrysalis-tiny","target_language":"de"}'),
    bodyPattern: false,
    padding: 'off',
    frames: [{ type: 2, content: '{"data":[{"index":0,"text":"Gute Nacht"}],"object":"translation"}' }],
  },
  {
    name: 'empty body, no padding, only a final frame',
    body: new Uint8Array(0),
    bodyPattern: false,
    padding: 'off',
    frames: [],
  },
  {
    name: 'three request frames',
    body: patternBody(300_000),
    bodyPattern: true,
    padding: 'bucket',
    frames: [],
  },
]

async function buildCase(plan: Plan, number: number): Promise<object> {
  const sealId = new Uint8Array(16).fill(0x10 + number)
  const rnonce = new Uint8Array(32).fill(0x20 + number)
  const sealed = await seal(
    {
      epoch: {
        id: toHex(epochId(XWING.publicKey)),
        publicKey: XWING.publicKey,
        claimsDigest: CLAIMS,
        notAfter: NOW + 600_000,
      },
      context: {
        requestId: `req-vector-${number}`,
        tee: 'simulated-tdx',
        gateway: 'gateway-1',
        method: 'POST',
        path: number === 1 ? '/v1/translations' : '/v1/chat/completions',
        model: { id: 'chrysalis-tiny', sha256: toHex(sha256(utf8('model'))) },
        payer: {
          kind: 'channel',
          key: toBase64(payer.publicKey),
          channel: 'EQ-channel',
          account: 'account-1',
        },
        quoteDigest: toHex(sha256(utf8('quote'))),
        maxCharge: '1000000',
        maxPromptTokens: 4096,
        maxOutputTokens: 256,
        n: 1,
        responseMode: { stream: number !== 1, padding: plan.padding, cadence: 0 },
        deadline: NOW + 60_000,
      },
      body: plan.body,
      sign: (message) => sign(null, message, payer.privateKey),
      now: () => NOW,
    },
    { random: () => sealId, setupSender: fixedSetup },
  )
  const epoch = await vectorEpoch()
  const opened = await openSealed(
    sealed.request,
    { epochs: { find: () => epoch }, authKey: () => payer.publicKey, now: () => NOW },
    { random: () => rnonce },
  )
  const sealer = opened.respond()
  const units = [sealer.start()]
  for (const { type, content } of plan.frames) {
    units.push(type === 0 ? sealer.pad() : sealer.frame(type, utf8(content)))
  }
  const final = JSON.stringify({ status: 200 })
  units.push(sealer.final(utf8(final)))
  const info = Buffer.concat([utf8('chrysalis/seal/1\0'), fromHex(epoch.id), CLAIMS])
  const exported = (label: string, length: number) =>
    hpkeExport(XWING.sharedSecret, info, Buffer.concat([utf8(`${label}\0`), sealed.h]), length).toString(
      'hex',
    )
  return {
    name: plan.name,
    sealId: toHex(sealId),
    rnonce: toHex(rnonce),
    context: Buffer.from(encodeContext(sealed.ctx)).toString('utf8'),
    body: plan.bodyPattern
      ? { pattern: '31*i mod 256', length: plan.body.length }
      : { hex: toHex(plan.body) },
    h: toHex(sealed.h),
    info: info.toString('hex'),
    requestSecrets: exported('request', 80),
    responseSecret: exported('response', 32),
    ...(plan.bodyPattern ? { requestLength: sealed.request.length } : { request: toHex(sealed.request) }),
    requestHash: toHex(sealed.requestHash),
    authHash: toHex(sealed.authHash),
    responseFrames: [...plan.frames, { type: 3, content: final }],
    responseUnits: units.map(toHex),
    transcript: toHex(sealer.transcript()),
  }
}

function buildReceipt(): object {
  const blind = new Uint8Array(32).fill(0x42)
  const details = {
    promptTokens: 12,
    cachedTokens: 4,
    completionTokens: 3,
    reasoningTokens: 0,
    finishReason: 'stop',
    startedAt: NOW,
    firstTokenAt: NOW + 40,
    endedAt: NOW + 90,
  }
  const statement = {
    requestId: 'req-vector-0',
    h: '01'.repeat(32),
    authHash: '02'.repeat(32),
    claimsDigest: toHex(CLAIMS),
    transcript: '03'.repeat(32),
    model: { id: 'chrysalis-tiny', sha256: toHex(sha256(utf8('model'))) },
    quoteDigest: toHex(sha256(utf8('quote'))),
    clientCharge: '420',
    workerCharge: '400',
    status: 'complete' as const,
    tee: 'simulated-tdx' as const,
    payerKind: 'channel' as const,
    issuedAt: NOW + 91,
  }
  const receipt = signReceipt(statement, details, blind, enclave.privateKey)
  return {
    signingSeed: '08'.repeat(32),
    signingKey: toHex(enclave.publicKey),
    details: Buffer.from(encodeDetails(details)).toString('utf8'),
    blind: toHex(blind),
    payloadText: Buffer.from(receipt.payload, 'base64url').toString('utf8'),
    receipt,
    digest: receiptDigest(receipt),
  }
}

/** All vectors, from fixed values only. */
export async function buildVectors(): Promise<object> {
  const cases = []
  for (const [number, plan] of PLANS.entries()) cases.push(await buildCase(plan, number))
  return {
    format:
      'chrysalis seal vectors 1; bytes in hex; the encapsulation is the first X-Wing vector of xwing.vectors.json',
    now: NOW,
    epoch: {
      seed: toHex(XWING.seed),
      publicKey: toHex(XWING.publicKey),
      id: toHex(epochId(XWING.publicKey)),
      claimsDigest: toHex(CLAIMS),
      enc: toHex(XWING.enc),
      sharedSecret: toHex(XWING.sharedSecret),
    },
    payer: { seed: '07'.repeat(32), publicKey: toHex(payer.publicKey) },
    cases,
    receipt: buildReceipt(),
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL('./seal.vectors.json', import.meta.url)
  writeFileSync(file, `${JSON.stringify(await buildVectors(), null, 2)}\n`)
}
