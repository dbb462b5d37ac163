/**
 * The load: many keep-alive connections over bare sockets, each with one request at a time. It reads no more of an
 * answer than it needs, so that the core which it shares with the upstream is not what is measured. Jobs come over the
 * IPC channel, results go back.
 */

import { connect, type Socket } from 'node:net'
import { requestBody, type Script } from './script.ts'

export interface LoadJob {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly script: Script
  readonly stream: boolean
  readonly connections: number
  /** New requests are begun for this long. */
  readonly ms: number
  /** Begin the connections one after the other over this time, so that paced streams do not tick together. */
  readonly rampMs: number
}

export interface LoadResult {
  readonly requests: number
  /** Events of streams, `[DONE]` not counted. */
  readonly chunks: number
  readonly failed: number
  readonly elapsedMs: number
  /** Milliseconds from request to whole answer. */
  readonly answer: Percentiles
  /** Milliseconds from the making of a token to its arrival; of streams. */
  readonly token: Percentiles
  /** Milliseconds from the request to the first token's arrival. */
  readonly first: Percentiles
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
}

const CHUNKED_END = '\r\n0\r\n\r\n'

class Connection {
  readonly #job: LoadJob
  readonly #bytes: Buffer
  readonly #tally: Tally
  readonly #socket: Socket
  readonly #until: number
  readonly done: Promise<void>
  #begun = 0
  #head = ''
  /** Bytes of the body still to come; Infinity for a chunked one, -1 before the header is read. */
  #left = -1
  #tail = ''
  #ok = false
  #firstSeen = false

  constructor(job: LoadJob, bytes: Buffer, tally: Tally, until: number) {
    this.#job = job
    this.#bytes = bytes
    this.#tally = tally
    this.#until = until
    const { hostname, port } = new URL(job.url)
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.done = promise
    this.#socket.on('connect', () => this.#ask())
    this.#socket.on('data', (data) => this.#read(data))
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('close', () => {
      if (this.#begun > 0) tally.failed += 1
      resolve()
    })
  }

  #ask(): void {
    if (performance.now() >= this.#until) {
      this.#begun = 0
      this.#socket.end()
      return
    }
    this.#begun = performance.now()
    this.#head = ''
    this.#left = -1
    this.#tail = ''
    this.#firstSeen = false
    this.#socket.write(this.#bytes)
  }

  #read(data: Buffer): void {
    let body = data
    if (this.#left === -1) {
      this.#head += data.toString('latin1')
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0) return
      body = Buffer.from(this.#head.slice(end + 4), 'latin1')
      this.#ok = this.#head.startsWith('HTTP/1.1 200')
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end))?.[1]
      this.#left = length === undefined ? Number.POSITIVE_INFINITY : Number(length)
    }
    if (this.#job.stream) this.#count(body)
    if (this.#left !== Number.POSITIVE_INFINITY) {
      this.#left -= body.length
      if (this.#left <= 0) this.#answered()
      return
    }
    this.#tail = (this.#tail + body.toString('latin1', Math.max(0, body.length - 7))).slice(-7)
    if (this.#tail === CHUNKED_END) this.#answered()
  }

  /** Events and the stamps of their tokens; a stamp that is cut in two by the socket is left out. */
  #count(body: Buffer): void {
    const { tally } = this
    const now = process.hrtime.bigint()
    for (let at = body.indexOf('data: {'); at >= 0; at = body.indexOf('data: {', at + 7)) tally.chunks += 1
    if (this.#job.script.everyMs === 0) return
    for (const [, stamp] of body.toString('latin1').matchAll(/" t(\d+)"/g)) {
      tally.token.push(Number(now - BigInt(stamp ?? 0)) / 1e6)
      if (!this.#firstSeen) tally.first.push(performance.now() - this.#begun)
      this.#firstSeen = true
    }
  }

  get tally(): Tally {
    return this.#tally
  }

  #answered(): void {
    if (this.#ok) this.#tally.requests += 1
    else this.#tally.failed += 1
    this.#tally.answer.push(performance.now() - this.#begun)
    this.#ask()
  }
}

class Tally {
  requests = 0
  chunks = 0
  failed = 0
  readonly answer: number[] = []
  readonly token: number[] = []
  readonly first: number[] = []
}

async function run(job: LoadJob): Promise<LoadResult> {
  const body = requestBody(job.script, job.stream)
  const { host, pathname } = new URL(job.url)
  const headers = Object.entries({
    host,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...job.headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  const bytes = Buffer.from(`POST ${pathname} HTTP/1.1\r\n${headers.join('')}\r\n${body}`)
  const tally = new Tally()
  const started = performance.now()
  const connections: Connection[] = []
  for (let index = 0; index < job.connections; index++) {
    connections.push(new Connection(job, bytes, tally, started + job.rampMs + job.ms))
    if (job.rampMs > 0) await new Promise((resolve) => setTimeout(resolve, job.rampMs / job.connections))
  }
  await Promise.all(connections.map(({ done }) => done))
  const { requests, chunks, failed } = tally
  return {
    requests,
    chunks,
    failed,
    elapsedMs: performance.now() - started,
    answer: percentiles(tally.answer),
    token: percentiles(tally.token),
    first: percentiles(tally.first),
  }
}

function percentiles(values: number[]): Percentiles {
  values.sort((a, b) => a - b)
  const at = (share: number) => values[Math.floor((values.length - 1) * share)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

process.on('message', (job: LoadJob) => {
  void run(job).then((result) => process.send?.(result))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
