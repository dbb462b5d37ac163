import { ContractsError } from '../../errors.ts'
import { backOff, type Clock } from './clock.ts'
import { interpret, type Outcome, type RawReply } from './reply.ts'

/** One provider of toncenter's API v2. */
export interface ProviderOptions {
  /** URL of its JSON-RPC, such as `https://toncenter.com/api/v2/jsonRPC`; https, or http on this machine. */
  endpoint: string
  /** Sent as the header X-API-Key; never in the URL. */
  apiKey?: string
  /** Default: what toncenter grants, 1 without a key, 10 with one. */
  requestsPerSecond?: number
  /** For each attempt, in milliseconds; default 10,000. */
  timeoutMs?: number
}

const MAX_REPLY_BYTES = 4 * 1024 * 1024
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

function invalid(field: string, cure: string): ContractsError {
  return new ContractsError('ERR_CHAIN_CONFIG', `${field}: ${cure}`)
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.parse(endpoint)
  if (!url) throw invalid('endpoint', 'a URL expected, such as https://toncenter.com/api/v2/jsonRPC')
  if (url.username || url.password || url.search || url.hash) {
    throw invalid('endpoint', 'no user, query or fragment; give the key as apiKey')
  }
  const secure = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
  if (!secure) throw invalid('endpoint', 'https expected (http on this machine only)')
  return url
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_REPLY_BYTES) throw new RangeError('reply too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Requests to one provider: spaced to its rate, repeated with growing pauses while that may help, and given up at a
 * deadline. The key stays in here: neither @ton/ton nor any error gets to see it.
 */
export class Endpoint {
  /** Host of the provider, for messages. */
  readonly name: string
  readonly url: string
  private readonly clock: Clock
  private readonly headers: Record<string, string>
  private readonly intervalMs: number
  private readonly timeoutMs: number
  /** When the next request may go out, by `clock.now`. */
  private free = 0

  /** @throws ContractsError ERR_CHAIN_CONFIG */
  constructor(options: ProviderOptions, clock: Clock) {
    const url = parseEndpoint(options.endpoint)
    const { apiKey } = options
    if (apiKey !== undefined && !/^[\x21-\x7e]{1,512}$/.test(apiKey)) {
      throw invalid('apiKey', 'printable ASCII without spaces expected; is there a line break at its end?')
    }
    const rate = options.requestsPerSecond ?? (apiKey === undefined ? 1 : 10)
    if (!(rate > 0 && rate <= 1000)) throw invalid('requestsPerSecond', 'above 0, at most 1000')
    const timeoutMs = options.timeoutMs ?? 10_000
    if (!(timeoutMs >= 1 && timeoutMs <= 600_000)) throw invalid('timeoutMs', 'from 1 to 600000')
    this.name = url.host
    this.url = url.href
    this.clock = clock
    this.headers = {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    }
    this.intervalMs = 1000 / rate
    this.timeoutMs = timeoutMs
  }

  /**
   * Posts `body` until there is an answer.
   * @param deadline by the clock's `now`: no attempt starts after it
   * @returns the reply's JSON, `ok` being true
   * @throws ContractsError ERR_CHAIN_UNREACHABLE, ERR_CHAIN_RATE_LIMITED, ERR_CHAIN_REPLY (the last one seen, at the
   * deadline), ERR_CHAIN_UNAUTHORIZED, ERR_CHAIN_REJECTED, ERR_CHAIN_REQUEST (at once)
   */
  async request(body: string, deadline: number): Promise<unknown> {
    let mayHaveArrived = false
    for (let attempt = 0; ; attempt++) {
      await this.turn(deadline)
      const outcome = await this.attempt(body)
      if ('data' in outcome) return outcome.data
      if (outcome.error.code === 'ERR_CHAIN_REJECTED' && mayHaveArrived) throw unsure(this.name)
      // Whoever says "too many" has not looked at the request; all other failures leave it open whether it worked.
      if (outcome.error.code !== 'ERR_CHAIN_RATE_LIMITED') mayHaveArrived = true
      // All other requests wait, too, when the provider asks for a pause.
      if (outcome.waitMs > 0) this.free = Math.max(this.free, this.clock.now() + outcome.waitMs)
      const wait = Math.max(outcome.waitMs, backOff(attempt, this.clock.random()))
      if (!outcome.retry || this.clock.now() + wait > deadline) throw outcome.error
      await this.clock.sleep(wait)
    }
  }

  /** Waits for this request's place in the rate. */
  private async turn(deadline: number): Promise<void> {
    const now = this.clock.now()
    const at = Math.max(now, this.free)
    if (at > deadline) {
      const message = `${this.name}: its rate leaves no room for this request before the deadline`
      throw new ContractsError('ERR_CHAIN_RATE_LIMITED', message)
    }
    this.free = at + this.intervalMs
    if (at > now) await this.clock.sleep(at - now)
  }

  private async attempt(body: string): Promise<Outcome> {
    try {
      return interpret(this.name, await this.post(body), this.clock.wall())
    } catch (cause) {
      const error = new ContractsError('ERR_CHAIN_UNREACHABLE', `${this.name} does not answer`, { cause })
      return { error, retry: true, waitMs: 0 }
    }
  }

  private async post(body: string): Promise<RawReply> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: this.headers,
      body,
      // A redirect would carry the key elsewhere.
      redirect: 'error',
      signal: this.clock.timeout(this.timeoutMs),
    })
    const text = await readBounded(response)
    return { status: response.status, retryAfter: response.headers.get('retry-after'), text }
  }
}

function unsure(provider: string): ContractsError {
  const message = `${provider}: refused now, but an earlier attempt may have arrived; read the state back`
  return new ContractsError('ERR_CHAIN_UNREACHABLE', message)
}
