/** A dispatcher for tests: real link, real seal, real ledger in a folder of its own, time moved by hand. */

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBase64Url, fromUtf8, toBase64, utf8 } from '../../../attest/bytes.ts'
import { Ledger } from '../../ledger/index.ts'
import { MODEL } from '../../link/testing/fake-worker.ts'
import { TestGateway } from '../../link/testing/gateway.ts'
import { ManualClock } from '../../link/testing/manual-clock.ts'
import {
  type DispatchEvent,
  Dispatcher,
  type DispatcherOptions,
  type DispatchKey,
  type DispatchLedger,
  type DispatchRequest,
  type DispatchResponse,
} from '../index.ts'

export const CANARY = 'canary-of-the-prompt'
const DEPOSIT = 1_000_000n
export const WORKER_CHANNEL = `0:${'33'.repeat(32)}`

const TERMS = {
  channel: WORKER_CHANNEL,
  globalId: -77,
  codeHash: '44'.repeat(32),
  params: {
    payer: `0:${'55'.repeat(32)}`,
    payee: `0:${'11'.repeat(32)}`,
    voucherKey: '66'.repeat(32),
    payeeKey: '77'.repeat(32),
    challengeSeconds: 60,
    openUntil: 2_000_000_000,
    salt: '88'.repeat(32),
  },
}

export interface HarnessOptions {
  limits?: DispatcherOptions['limits']
  abandonMs?: number
  /** Stands between the dispatcher and the ledger. */
  bendLedger?: (ledger: Ledger) => DispatchLedger
  /** Called while a request is being sealed. */
  onSign?: () => void
}

/** The parts that outlive a gateway process. */
export interface Books {
  clock: ManualClock
  ledger: Ledger
  key: DispatchKey
  poorKey: DispatchKey
  close(): Promise<void>
}

export async function openBooks(): Promise<Books> {
  const clock = new ManualClock()
  const dir = await mkdtemp(join(tmpdir(), 'chrysalis-dispatch-'))
  const ledger = await Ledger.open({
    file: join(dir, 'ledger.sqlite'),
    now: () => clock.now(),
    signVoucher: (_channel, ceiling) => new Uint8Array(64).fill(Number(ceiling % 251n)),
    onFatal: (error) => {
      throw error
    },
  })
  const channel = (id: string, role: 'client' | 'worker', deposited: bigint) =>
    ledger.putChannel({ id, address: id, role, params: '{}', deposited })
  await channel('client', 'client', DEPOSIT)
  await channel('poor', 'client', 10n)
  await channel('worker-channel', 'worker', DEPOSIT)
  const make = async (id: string) => (await ledger.keys.create({ name: id, channel: id })).key
  const [rich, poor] = [await make('client'), await make('poor')]
  return {
    clock,
    ledger,
    key: rich,
    poorKey: poor,
    close: async () => {
      await ledger.close()
      await rm(dir, { recursive: true })
    },
  }
}

export class Harness {
  readonly books: Books
  readonly gateway: TestGateway
  readonly dispatcher: Dispatcher
  #baseline: Account = { charged: 0n, reserved: 0n, earned: 0n }

  private constructor(books: Books, gateway: TestGateway, dispatcher: Dispatcher) {
    this.books = books
    this.gateway = gateway
    this.dispatcher = dispatcher
  }

  static async open(books: Books, options: HarnessOptions = {}): Promise<Harness> {
    const gateway = await TestGateway.open(
      { paymentFor: async () => ({ ledgerChannel: 'worker-channel', terms: TERMS }) },
      { clock: books.clock },
    )
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const dispatcher = new Dispatcher({
      pool: gateway.pool,
      ledger: options.bendLedger?.(books.ledger) ?? books.ledger,
      signer: {
        publicKey: fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? ''),
        sign: (message) => {
          options.onSign?.()
          return new Uint8Array(sign(null, message, privateKey))
        },
      },
      gatewayId: 'gateway-under-test',
      log: gateway.logger,
      clock: books.clock,
      limits: { firstFrameMs: 10_000, idleMs: 10_000, cancelMs: 5_000, queueMs: 20_000, ...options.limits },
      ...(options.abandonMs !== undefined && { abandonMs: options.abandonMs }),
    })
    const harness = new Harness(books, gateway, dispatcher)
    harness.#baseline = { ...(await harness.account()), reserved: 0n }
    return harness
  }

  request(changes: Partial<DispatchRequest> = {}): DispatchRequest {
    return {
      requestId: randomBytes(8).toString('hex'),
      key: this.books.key,
      method: 'POST',
      path: '/v1/chat/completions',
      body: utf8(JSON.stringify({ prompt: CANARY })),
      model: MODEL.id,
      stream: true,
      maxPromptTokens: 50,
      maxOutputTokens: 1000,
      n: 1,
      signal: new AbortController().signal,
      deadline: this.books.clock.now() + 30_000,
      ...changes,
    }
  }

  dispatch(changes: Partial<DispatchRequest> = {}): Promise<DispatchResponse> {
    return this.dispatcher.dispatch(this.request(changes))
  }

  /** What was charged and earned since this harness was opened, and what the client's channel holds back. */
  async account(): Promise<Account> {
    const client = await this.books.ledger.channelState('client')
    const worker = await this.books.ledger.channelState('worker-channel')
    if (!client || !worker) throw new Error('no channel')
    const { charged, earned } = this.#baseline
    return { charged: client.charged - charged, reserved: client.reserved, earned: worker.charged - earned }
  }

  /** The worker channel's ceiling once `earned` nanotons were earned since this harness was opened. */
  ceiling(earned: bigint): bigint {
    return this.#baseline.earned + earned
  }

  /** Closes every link and waits until what ran is settled. */
  async close(): Promise<void> {
    await this.gateway.close()
    await this.dispatcher.drain(0)
  }
}

export interface Account {
  charged: bigint
  reserved: bigint
  earned: bigint
}

/** The text of an event that a Job made. */
export function textOf(event: DispatchEvent): string {
  if (event.type === 'body') return fromUtf8(event.bytes)
  return (JSON.parse(fromUtf8(event.json)) as { text: string }).text
}

/** Reads a response to its end. */
export async function collect(response: DispatchResponse): Promise<string[]> {
  const texts: string[] = []
  for await (const event of response.events) texts.push(textOf(event))
  return texts
}

/** Base64 of a voucher that `openBooks` signs for this ceiling. */
export function voucherFor(ceiling: bigint): string {
  return toBase64(new Uint8Array(64).fill(Number(ceiling % 251n)))
}
