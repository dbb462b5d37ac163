/**
 * The link between a gateway and a worker, version 2: one WebSocket (path `/link`, subprotocol `chrysalis-link`,
 * compression off) that the worker dials. Control messages are JSON text, stream bytes are binary. Both sides hold
 * every message against these schemas; a violation closes the link with a code of `CLOSE`.
 *
 * Order of a connection:
 *   gateway: challenge · worker: join · gateway: welcome | refused · worker: held (one or more, the last `done`)
 *   then requests (binary 1/2 down, binary 3 up, receipt, end), credit, cancel, ack, voucher, heartbeats, and for
 *   each new epoch: attest-request → attest → evidence → attested | refused; and
 *   attest-for → evidence-for | no-evidence-for, which brings a stranger's nonce to the worker.
 *
 * Liveness: the gateway sends a WebSocket ping every `heartbeatMs`, the worker a `heartbeat` message. Anything
 * received counts as a sign of life; after 2.5 intervals without one a side drops the link.
 *
 * Streams: the gateway picks a new number (1, 2, 3 … never used again on this connection) and sends the sealed
 * request in chunks, kind 1, the last one kind 2. The worker answers with kind 3 messages, each one unit of the sealed
 * response (its start, then one frame each); `receipt` messages lie between them, and each covers exactly the kind-3
 * messages before it. The stream's last message is `end`; without an `end` nothing after it can be trusted to be
 * complete. A worker may send INITIAL_CREDIT kind-3 messages on a stream and as many more as `credit` grants.
 */

import { z } from 'zod'
import {
  amountSchema,
  base64Schema,
  base64UrlSchema,
  hexSchema,
  modelIdSchema,
  rawAddressSchema,
  requestIdSchema,
} from './ids.ts'
import { LINK_LIMITS, LinkError, NO_EVIDENCE, STREAM_HINTS } from './link-terms.ts'
import { pricesSchema } from './quote.ts'
import { versionRangeSchema } from './version.ts'

export * from './link-terms.ts'
export * from './link-wire.ts'

const nonce = base64Schema(32)
const signature = base64Schema(64)
const stream = z.int().min(1).max(0xffffffff)
const ticket = z.int().min(1).max(0xffffffff)
// A lone surrogate has no UTF-8, so it could be neither signed nor logged.
const shortText = z
  .string()
  .max(512)
  .refine((text) => text.isWellFormed(), 'a lone surrogate')
// Judged strictly by attest/evidence; here only bounded, by the size of the message.
const evidence = z.record(z.string().max(64), z.unknown())
const sha256 = hexSchema(32)

/** A signed receipt as it travels: base64url without padding. */
export const signedReceiptSchema = z.strictObject({
  payload: base64UrlSchema(2, 8192),
  signature: base64UrlSchema(64),
})

/** The gateway→worker channel that pays for this worker's work; the worker recomputes the address from the rest. */
export const paymentSchema = z.strictObject({
  channel: rawAddressSchema,
  globalId: z.int().min(-0x80000000).max(0x7fffffff),
  codeHash: sha256,
  /** `ChannelParamsJson` of contracts: addresses raw, keys and salt hex, `openUntil` Unix seconds. */
  params: z.strictObject({
    payer: rawAddressSchema,
    payee: rawAddressSchema,
    voucherKey: sha256,
    payeeKey: sha256,
    challengeSeconds: z.int().min(0).max(0xffffffff),
    openUntil: z.int().min(0).max(0xffffffff),
    salt: sha256,
  }),
  /** The highest voucher so far: absent before the first one. */
  voucher: z.strictObject({ ceiling: amountSchema, signature }).optional(),
})

export type PaymentTerms = z.infer<typeof paymentSchema>

const challenge = z.strictObject({
  type: z.literal('challenge'),
  versions: versionRangeSchema,
  nonce,
  /** The `payoutAddress` of the evidence that the welcome will bring; the worker holds the two against each other. */
  gatewayId: shortText.min(1),
  /** Milliseconds since 1970, the gateway's clock; for a hint about skew only. */
  time: z.int().min(0),
})

const join = z.strictObject({
  type: z.literal('join'),
  /** The version that this message is written in: the highest common one. */
  version: z.int().min(1),
  versions: versionRangeSchema,
  /** For the gateway's evidence. */
  nonce,
  /** Evidence over the challenge's nonce. */
  evidence,
  /** By the signingKey of the claims over `joinMessage`. */
  signature,
  /** What the worker asks for its models. */
  prices: z
    .array(z.strictObject({ model: modelIdSchema, prices: pricesSchema }))
    .min(1)
    .max(64),
  capacity: z.strictObject({ slots: z.int().min(1).max(4096) }),
  /**
   * Ed25519 public key, hex, that the worker wants as `payeeKey` of its channel; absent: it does not care. Covered
   * by the signature; 32 zero bytes are no key and stand for its absence there.
   */
  payoutKey: sha256.refine((key) => !/^0+$/.test(key), 'zeros are no key').optional(),
})

const welcome = z.strictObject({
  type: z.literal('welcome'),
  version: z.int().min(1),
  /** Names this connection in logs. */
  session: requestIdSchema,
  gateway: z.strictObject({ evidence }),
  /** Encoded quotes (quote.ts), base64: the only ones that requests on this link may name. */
  quotes: z.array(base64Schema(2, 4096)).min(1).max(64),
  /** Null: the gateway pays nothing, which a worker accepts only when told so. */
  payment: paymentSchema.nullable(),
  heartbeatMs: z.int().min(50).max(120_000),
  /** By the signingKey of the gateway's claims over `welcomeMessage`: anybody can fetch its evidence for a nonce. */
  signature,
})

const refused = z.strictObject({
  type: z.literal('refused'),
  code: z.enum([
    'version_unsupported',
    'evidence',
    'signature',
    'nonce',
    'terms',
    'busy',
    'draining',
    'internal',
  ]),
  /** Names of the factors of the policy that failed; empty unless `code` is `evidence`. */
  factors: z.array(z.string().max(64)).max(64),
  reason: shortText,
})

/** Everything that a gateway sends as text. */
export const gatewayMessageSchema = z.discriminatedUnion('type', [
  challenge,
  welcome,
  refused,
  z.strictObject({ type: z.literal('cancel'), stream }),
  z.strictObject({ type: z.literal('credit'), stream, frames: z.int().min(1).max(LINK_LIMITS.maxCredit) }),
  /** Charges of these requests are committed: their receipts need not be kept. */
  z.strictObject({ type: z.literal('ack'), requestIds: z.array(requestIdSchema).min(1).max(1024) }),
  z.strictObject({ type: z.literal('voucher'), channel: rawAddressSchema, ceiling: amountSchema, signature }),
  /** Answer to `attest-request`: a nonce for the next epoch's evidence. */
  z.strictObject({ type: z.literal('attest'), nonce }),
  /** That evidence was accepted: requests may be sealed to this epoch. */
  z.strictObject({ type: z.literal('attested'), epochId: hexSchema(16) }),
  /** The gateway goes away: finish what runs, then close and come back later. */
  z.strictObject({ type: z.literal('drain') }),
  /**
   * Somebody who asked the gateway wants evidence over this nonce. One at a time: the next one only after
   * the answer to this one. `ticket` counts 1, 2, 3 … on each connection.
   */
  z.strictObject({ type: z.literal('attest-for'), ticket, nonce }),
])

/** Everything that a worker sends as text. */
export const workerMessageSchema = z.discriminatedUnion('type', [
  join,
  /** A partial or the final receipt of a running stream, covering the kind-3 messages before it. */
  z.strictObject({
    type: z.literal('receipt'),
    requestId: requestIdSchema,
    stream,
    receipt: signedReceiptSchema,
    final: z.boolean(),
  }),
  /** The stream is over. Without `hint` a sealed final frame came before. */
  z.strictObject({ type: z.literal('end'), stream, hint: z.enum(STREAM_HINTS).optional() }),
  /** Receipts not yet acknowledged, straight after `welcome`; `done` on the last of these messages. */
  z.strictObject({
    type: z.literal('held'),
    receipts: z
      .array(z.strictObject({ requestId: requestIdSchema, receipt: signedReceiptSchema, final: z.boolean() }))
      .max(LINK_LIMITS.maxHeld),
    done: z.boolean(),
    /**
     * The highest voucher on the channel of the welcome, when the welcome named a lower one or none: by the gateway's own
     * signature, its books are older than what it has promised. In the first of these messages only.
     */
    voucher: z.strictObject({ ceiling: amountSchema, signature }).optional(),
  }),
  z.strictObject({ type: z.literal('attest-request') }),
  /** Evidence of the next epoch over the nonce of `attest`; signature over `reattestMessage`. */
  z.strictObject({ type: z.literal('evidence'), evidence, signature }),
  z.strictObject({
    type: z.literal('heartbeat'),
    active: z.int().min(0).max(65535),
    queued: z.int().min(0).max(65535),
  }),
  /** The worker shuts down: send it nothing new, what runs is finished. */
  z.strictObject({ type: z.literal('draining') }),
  /**
   * Evidence of the newest epoch over the nonce of `attest-for`. Without a signature, so that it lets nobody join and
   * attests no epoch.
   */
  z.strictObject({ type: z.literal('evidence-for'), ticket, evidence }),
  /** There is none. `retryMs` says when it may be asked for again. */
  z.strictObject({
    type: z.literal('no-evidence-for'),
    ticket,
    code: z.enum(NO_EVIDENCE),
    retryMs: z.int().min(0).max(3_600_000),
  }),
])

export type GatewayMessage = z.infer<typeof gatewayMessageSchema>
export type WorkerMessage = z.infer<typeof workerMessageSchema>
export type GatewayMessageOf<T extends GatewayMessage['type']> = Extract<GatewayMessage, { type: T }>
export type WorkerMessageOf<T extends WorkerMessage['type']> = Extract<WorkerMessage, { type: T }>

// Of a challenge from a gateway of another time only this much is read, so that "too far apart" can be said clearly.
const versionPeek = z.object({ type: z.literal('challenge'), versions: versionRangeSchema })

/** The versions that a challenge names, whatever else it holds; undefined for anything but a challenge. */
export function peekVersions(text: string): z.infer<typeof versionRangeSchema> | undefined {
  try {
    return versionPeek.parse(JSON.parse(text)).versions
  } catch {
    return undefined
  }
}

/** Parses a text message from a gateway. @throws LinkError malformed_message or limit_exceeded */
export function parseGatewayMessage(text: string): GatewayMessage {
  return parseMessage(gatewayMessageSchema, text)
}

/** Parses a text message from a worker. @throws LinkError malformed_message or limit_exceeded */
export function parseWorkerMessage(text: string): WorkerMessage {
  return parseMessage(workerMessageSchema, text)
}

function parseMessage<T>(schema: z.ZodType<T>, text: string): T {
  if (text.length > LINK_LIMITS.maxMessageBytes)
    throw new LinkError('limit_exceeded', 'a message is too large')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new LinkError('malformed_message', 'a text message is not JSON')
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  // Only where it is wrong and how, never what it says.
  const issue = result.error.issues[0]
  const at =
    issue === undefined || issue.path.length === 0
      ? 'the message'
      : issue.path.map(String).join('.').slice(0, 96)
  throw new LinkError(
    'malformed_message',
    `a text message breaks its schema at ${at} (${issue?.code ?? 'unknown'})`,
  )
}
