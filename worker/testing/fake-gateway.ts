import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from '../../attest/bytes.ts'
import { verifyEd25519 } from '../../attest/crypto.ts'
import { EpochKeys } from '../../attest/epoch/index.ts'
import {
  type Claims,
  claimsDigest,
  createEvidence,
  encodeClaims,
  epochClaims,
  failedFactors,
  verifyEvidence,
} from '../../attest/evidence/index.ts'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import type { Policy } from '../../attest/policy/index.ts'
import {
  checkDetails,
  type ReceiptBody,
  type SignedReceipt,
  verifyReceipt,
} from '../../attest/receipt/index.ts'
import { FRAME, type SealedRequest, type SealRequestContext, seal } from '../../attest/seal/index.ts'
import type { SimulatedTee } from '../../attest/simulate/index.ts'
import type { Clock } from '../clock.ts'
import {
  CHUNK,
  decodeChunk,
  encodeChunk,
  encodeQuote,
  type GatewayMessage,
  type GatewayMessageOf,
  joinMessage,
  LINK_SUBPROTOCOL,
  LINK_VERSIONS,
  newRequestId,
  type PaymentTerms,
  parseWorkerMessage,
  type Quote,
  quoteDigest,
  reattestMessage,
  type UnsignedWelcome,
  type VersionRange,
  type WorkerMessage,
  type WorkerMessageOf,
  welcomeMessage,
} from '../protocol/index.ts'

export const GATEWAY_ID = `0:${'9a'.repeat(32)}`

/** What came from a worker: a parsed message, a response chunk, or the close. */
export type Heard =
  | WorkerMessage
  | { type: 'chunk'; stream: number; payload: Uint8Array }
  | { type: 'closed'; code: number; reason: string }

/** A gateway of this test: real socket, real evidence, real seals; it does only what the test says. */
export class FakeGateway {
  readonly url: string
  readonly clock: Clock
  readonly tee: SimulatedTee
  readonly publicKey: Uint8Array
  readonly epochs: EpochKeys
  /** Claims to change before they are signed, for gateways that must be refused. */
  forge: (claims: Claims) => Claims = (claims) => claims
  readonly #server: Server
  readonly #sockets: WebSocketServer
  readonly #key = generateKeyPairSync('ed25519')
  readonly #peers: Peer[] = []
  #waiting: ((peer: Peer) => void)[] = []

  private constructor(server: Server, clock: Clock, tee: SimulatedTee, epochs: EpochKeys) {
    this.#server = server
    this.clock = clock
    this.tee = tee
    this.epochs = epochs
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/link`
    this.publicKey = new Uint8Array(
      Buffer.from(this.#key.publicKey.export({ format: 'jwk' }).x as string, 'base64url'),
    )
    this.#sockets = new WebSocketServer({
      server,
      perMessageDeflate: false,
      handleProtocols: () => LINK_SUBPROTOCOL,
    })
    this.#sockets.on('connection', (ws) => {
      const peer = new Peer(this, ws)
      const resolve = this.#waiting.shift()
      if (resolve) resolve(peer)
      else this.#peers.push(peer)
    })
  }

  static async open(clock: Clock, tee: SimulatedTee): Promise<FakeGateway> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const epochs = await EpochKeys.create({
      now: clock.now,
      monotonic: clock.monotonic,
      timer: () => () => {},
    })
    return new FakeGateway(server, clock, tee, epochs)
  }

  /** The next worker that dials in. */
  connection(): Promise<Peer> {
    const peer = this.#peers.shift()
    return peer ? Promise.resolve(peer) : new Promise((resolve) => this.#waiting.push(resolve))
  }

  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#key.privateKey))
  }

  workerPolicy(): Policy {
    return { ...simulatedWithoutLog(this.tee.rootSha256), roles: ['worker'] }
  }

  async evidence(nonce: Uint8Array): Promise<Record<string, unknown>> {
    const epoch = this.epochs.current()
    const claims = this.forge({
      role: 'gateway',
      bootId: '77'.repeat(16),
      signingKey: toBase64(this.publicKey),
      epoch: epochClaims(epoch),
      accelerators: [],
      embedding: 'cpu',
      models: [],
      software: { version: '0', commit: 'test' },
      registry: { globalId: 0, address: '' },
      payoutAddress: GATEWAY_ID,
    })
    return { ...(await createEvidence({ tee: this.tee, nonce, claims: encodeClaims(claims) })) }
  }

  async close(): Promise<void> {
    this.epochs.close()
    for (const client of this.#sockets.clients) client.terminate()
    this.#sockets.close()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export interface JoinOptions {
  payment?: PaymentTerms | null
  quote?: Partial<Quote>
  heartbeatMs?: number
  versions?: VersionRange
  /** What somebody on the way changes: the handshake as the gateway saw it, and the welcome that it signed. */
  tamper?: {
    challenge?: Partial<GatewayMessageOf<'challenge'>>
    join?: Partial<WorkerMessageOf<'join'>>
    welcome?: Partial<GatewayMessageOf<'welcome'>>
  }
}

/** What a test sets differently in a sealed request. */
export interface RequestOptions {
  context?: Partial<SealRequestContext>
  body?: unknown
  stream?: boolean
  /** Signs instead of the gateway. */
  sign?: (message: Uint8Array) => Uint8Array
}

/** One connection of a worker as its gateway sees it. */
export class Peer {
  readonly gateway: FakeGateway
  readonly ws: WebSocket
  readonly nonce = new Uint8Array(randomBytes(32))
  #challenge: GatewayMessageOf<'challenge'> | undefined
  join: WorkerMessageOf<'join'> | undefined
  claims: Claims | undefined
  claimsDigest = ''
  quote: Quote | undefined
  held: WorkerMessageOf<'held'>['receipts'] = []
  readonly #heard: Heard[] = []
  #waiting: (() => void)[] = []
  #streams = 0

  constructor(gateway: FakeGateway, ws: WebSocket) {
    this.gateway = gateway
    this.ws = ws
    ws.on('message', (data: Buffer, isBinary) => {
      if (isBinary) {
        const { stream, payload } = decodeChunk(data)
        this.#hear({ type: 'chunk', stream, payload: new Uint8Array(payload) })
      } else this.#hear(parseWorkerMessage(data.toString()))
    })
    ws.on('close', (code, reason) => this.#hear({ type: 'closed', code, reason: reason.toString() }))
    ws.on('error', () => {})
  }

  send(message: GatewayMessage): void {
    this.ws.send(JSON.stringify(message))
  }

  /** The next thing heard that `wanted` takes; what it does not take stays for later. */
  async hear<T extends Heard>(wanted: (heard: Heard) => heard is T): Promise<T> {
    for (;;) {
      const index = this.#heard.findIndex(wanted)
      if (index >= 0) return this.#heard.splice(index, 1)[0] as T
      const closed = this.#heard.find((heard) => heard.type === 'closed')
      if (closed) throw new Error(`closed while waiting: ${JSON.stringify(closed)}`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  next<T extends Heard['type']>(type: T): Promise<Extract<Heard, { type: T }>> {
    return this.hear((heard): heard is Extract<Heard, { type: T }> => heard.type === type)
  }

  /** How many things of this type lie unread. */
  unread(type: Heard['type']): number {
    return this.#heard.filter((heard) => heard.type === type).length
  }

  challenge(versions: VersionRange = LINK_VERSIONS, gatewayId = GATEWAY_ID): void {
    const { gateway, nonce } = this
    const time = gateway.clock.now()
    this.#challenge = { type: 'challenge', versions, nonce: toBase64(nonce), gatewayId, time }
    this.send(this.#challenge)
  }

  /** Takes the worker in as a gateway should: checks its evidence and its signature, welcomes it, takes its receipts. */
  async welcome(options: JoinOptions = {}): Promise<this> {
    this.challenge(options.versions)
    const join = await this.next('join')
    await this.judge(join.evidence, this.nonce, join.signature, (claimsDigest) =>
      joinMessage({
        challengeNonce: this.nonce,
        workerNonce: fromBase64(join.nonce),
        claimsDigest,
        payoutKey: join.payoutKey,
      }),
    )
    this.join = join
    await this.sendWelcome(options)
    for (let done = false; !done; ) {
      const held = await this.next('held')
      this.held.push(...held.receipts)
      done = held.done
    }
    return this
  }

  async sendWelcome(options: JoinOptions): Promise<void> {
    const { payment = null, heartbeatMs = 15_000, quote = {}, tamper = {} } = options
    const { join, claims, gateway } = this
    const challenge = this.#challenge
    const model = claims?.models[0]
    const prices = join?.prices[0]?.prices
    if (!challenge || !join || !model || !prices) throw new Error('not joined')
    this.quote = {
      v: 1,
      model: { id: model.id, sha256: model.sha256 },
      client: prices,
      worker: prices,
      step: '1',
      ...quote,
    }
    const evidence = await gateway.evidence(fromBase64(join.nonce))
    const welcome: UnsignedWelcome = {
      type: 'welcome',
      version: join.version,
      session: 'session-1',
      gateway: { evidence },
      quotes: [toBase64(encodeQuote(this.quote))],
      payment,
      heartbeatMs,
    }
    const message = welcomeMessage({
      challenge: { ...challenge, ...tamper.challenge },
      join: { ...join, ...tamper.join },
      claimsDigest: claimsDigest(fromBase64(String(evidence.claims))),
      welcome,
    })
    this.send({ ...welcome, signature: toBase64(gateway.sign(message)), ...tamper.welcome })
  }

  async judge(
    evidence: unknown,
    nonce: Uint8Array,
    signature: string,
    message: (claimsDigest: Uint8Array) => Uint8Array,
  ): Promise<void> {
    const { clock } = this.gateway
    const verdict = await verifyEvidence(evidence, {
      policy: this.gateway.workerPolicy(),
      now: clock.now,
      nonce,
    })
    if (!verdict.claims || !verdict.claimsDigest) throw new Error(`refused: ${failedFactors(verdict).join()}`)
    const key = fromBase64(verdict.claims.signingKey)
    if (!verifyEd25519(key, message(fromHex(verdict.claimsDigest)), fromBase64(signature))) {
      throw new Error('the signature does not verify')
    }
    this.claims = verdict.claims
    this.claimsDigest = verdict.claimsDigest
  }

  /** Answers an attest-request; returns the id of the epoch that was attested. */
  async reattest(): Promise<string> {
    await this.next('attest-request')
    const nonce = new Uint8Array(randomBytes(32))
    this.send({ type: 'attest', nonce: toBase64(nonce) })
    const { evidence, signature } = await this.next('evidence')
    await this.judge(evidence, nonce, signature, (digest) => reattestMessage(nonce, digest))
    const epochId = this.claims?.epoch.id ?? ''
    this.send({ type: 'attested', epochId })
    return epochId
  }

  /** Seals a request to this worker's epoch. */
  seal(options: RequestOptions = {}): Promise<SealedRequest> {
    const { claims, claimsDigest, quote, gateway } = this
    const model = claims?.models[0]
    if (!claims || !quote || !model) throw new Error('not joined')
    const stream = options.stream ?? true
    const body = options.body ?? { model: model.id, messages: [{ role: 'user', content: 'Hi' }], stream }
    return seal({
      epoch: {
        id: claims.epoch.id,
        publicKey: fromBase64(claims.epoch.publicKey),
        claimsDigest: fromHex(claimsDigest),
        notAfter: claims.epoch.notAfter,
      },
      context: {
        requestId: newRequestId(),
        tee: 'simulated-tdx',
        gateway: GATEWAY_ID,
        method: 'POST',
        path: '/v1/chat/completions',
        model: { id: model.id, sha256: model.sha256 },
        payer: { kind: 'gateway', key: toBase64(gateway.publicKey), channel: 'c', account: 'a' },
        quoteDigest: quoteDigest(encodeQuote(quote)),
        maxCharge: '1000000000',
        maxPromptTokens: 1000,
        maxOutputTokens: 400,
        n: 1,
        responseMode: { stream, padding: 'bucket', cadence: 0 },
        deadline: gateway.clock.now() + 300_000,
        ...options.context,
      },
      body: body instanceof Uint8Array ? body : utf8(JSON.stringify(body)),
      sign: options.sign ?? ((message) => gateway.sign(message)),
      now: gateway.clock.now,
    })
  }

  /** Sends sealed bytes on a new stream, in chunks of `size`. */
  transmit(request: Uint8Array, size = 4096): number {
    this.#streams += 1
    for (let at = 0; at < request.length; at += size) {
      const kind = at + size >= request.length ? CHUNK.lastRequest : CHUNK.request
      this.ws.send(encodeChunk(kind, this.#streams, request.subarray(at, at + size)))
    }
    return this.#streams
  }

  /** Seals and sends. */
  async request(options: RequestOptions = {}): Promise<Reader> {
    const sealed = await this.seal(options)
    return new Reader(this, this.transmit(sealed.request), sealed)
  }

  #hear(heard: Heard): void {
    this.#heard.push(heard)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

export interface FinalFrame {
  status: number
  error?: { message: string; type: string; param: string | null; code: string | null }
  finishReason: string
  usage: Record<string, unknown> | null
  transcript: string
  receipt: SignedReceipt
  details: string
  blind: string
}

/** Reads one response as a gateway should: every frame opened, every receipt checked at its place. */
export class Reader {
  readonly id: number
  readonly sealed: SealedRequest
  readonly events: Record<string, unknown>[] = []
  readonly receipts: ReceiptBody[] = []
  readonly units: Uint8Array[] = []
  body = ''
  pads = 0
  final: FinalFrame | undefined
  hint: string | undefined
  ended = false
  readonly #peer: Peer

  constructor(peer: Peer, id: number, sealed: SealedRequest) {
    this.#peer = peer
    this.id = id
    this.sealed = sealed
  }

  /** Takes the next message of this stream. */
  async step(): Promise<'chunk' | 'receipt' | 'end'> {
    const mine = (heard: Heard): heard is Extract<Heard, { type: 'chunk' | 'receipt' | 'end' }> =>
      (heard.type === 'chunk' || heard.type === 'receipt' || heard.type === 'end') && heard.stream === this.id
    const heard = await this.#peer.hear(mine)
    if (heard.type === 'chunk') this.#onChunk(heard.payload)
    else if (heard.type === 'receipt') this.#onReceipt(heard)
    else {
      this.ended = true
      this.hint = heard.hint
    }
    return heard.type
  }

  /** Reads until `until` holds, or the stream's end. Grants one more chunk for each that is read. */
  async read(until: () => boolean = () => false, grant = true): Promise<this> {
    while (!this.ended && !until()) {
      const type = await this.step()
      if (type === 'chunk' && grant) this.#peer.send({ type: 'credit', stream: this.id, frames: 1 })
    }
    return this
  }

  /** The text of all events so far. */
  get text(): string {
    return this.events
      .map(
        (event) =>
          (event as { choices?: { delta?: { content?: string } }[] }).choices?.[0]?.delta?.content ?? '',
      )
      .join('')
  }

  /** The receipt of the final frame with its details, checked. */
  get settled() {
    if (!this.final) throw new Error('there is no final frame')
    const body = verifyReceipt(this.final.receipt, this.#key())
    const details = checkDetails(body, fromBase64(this.final.details), fromBase64(this.final.blind))
    return { body, details }
  }

  #onChunk(payload: Uint8Array): void {
    this.units.push(payload)
    for (const frame of this.sealed.open.push(payload)) {
      if (frame.final) {
        this.sealed.open.end()
        this.final = JSON.parse(fromUtf8(frame.content))
      } else if (frame.type === FRAME.event) this.events.push(JSON.parse(fromUtf8(frame.content)))
      else if (frame.type === FRAME.body) this.body += fromUtf8(frame.content)
      else this.pads += 1
    }
  }

  #onReceipt({ receipt, requestId }: WorkerMessageOf<'receipt'>): void {
    const body = verifyReceipt(receipt, this.#key())
    if (requestId !== this.sealed.ctx.requestId || body.requestId !== requestId)
      throw new Error('another request')
    if (body.transcript !== toHex(this.sealed.open.transcript()))
      throw new Error('the receipt is not for these frames')
    this.receipts.push(body)
  }

  #key(): Uint8Array {
    return fromBase64(this.#peer.claims?.signingKey ?? '')
  }
}
