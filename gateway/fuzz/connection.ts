/** A client that says what it is told, right or wrong, and reads answers as HTTP/1.1. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { concat, utf8 } from '../../attest/bytes.ts'

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** The answers on one connection, in order. */
export class Connection {
  readonly #socket: Socket
  #left = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes) => {
      this.#left = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes])
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#finish())
    socket.on('end', () => this.#finish())
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new Connection(socket)
  }

  /** No more answers come. */
  get ended(): boolean {
    return this.#ended
  }

  /** Writes the pieces a turn of the event loop apart. */
  async write(pieces: readonly Uint8Array[]): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await setImmediate()
      if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(piece)
    }
  }

  /** Says that nothing more will be written. */
  half(): void {
    if (!this.#socket.destroyed) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * The next answer that is not provisional (1xx); undefined when the connection ended without one.
   * @param method of the request: the answer to HEAD has no body
   * @throws SyntaxError for bytes that are no answer
   */
  async next(method: string): Promise<Answer | undefined> {
    for (;;) {
      const read = readAnswer(this.#left, method, this.#ended)
      if (read) {
        this.#left = this.#left.subarray(read.length)
        if (read.answer.status >= 200) return read.answer
        continue
      }
      if (this.#ended) {
        if (this.#left.length > 0) throw new SyntaxError('the connection ended within an answer')
        return undefined
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  #finish(): void {
    this.#ended = true
    this.#wake()
  }
}

/** One answer at the start of the bytes, and how long it is there; undefined when it is not whole yet. */
function readAnswer(
  bytes: Buffer,
  method: string,
  ended: boolean,
): { answer: Answer; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [start = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [ -~]*$/.exec(start)?.[1])
  if (!status) throw new SyntaxError(`no status line: ${JSON.stringify(bytes.toString('latin1', 0, 300))}`)
  const headers = new Map(lines.map(readLine))
  const from = end + 4
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  const body = bodiless
    ? { bytes: Buffer.alloc(0), length: 0 }
    : readBody(bytes.subarray(from), headers, ended)
  if (!body) return undefined
  return { answer: { status, headers, body: body.bytes.toString('utf8') }, length: from + body.length }
}

function readLine(line: string): [string, string] {
  const [, name, value] = /^([!-9;-~]+): ?([\t -~\x80-\xff]*)$/.exec(line) ?? []
  if (name === undefined || value === undefined) throw new SyntaxError('no header line')
  return [name.toLowerCase(), value]
}

function readBody(
  bytes: Buffer,
  headers: ReadonlyMap<string, string>,
  ended: boolean,
): { bytes: Buffer; length: number } | undefined {
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(bytes)
  const length = headers.get('content-length')
  if (length === undefined) return ended ? { bytes, length: bytes.length } : undefined
  return bytes.length < Number(length)
    ? undefined
    : { bytes: bytes.subarray(0, Number(length)), length: Number(length) }
}

function readChunks(bytes: Buffer): { bytes: Buffer; length: number } | undefined {
  const parts: Uint8Array[] = []
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16)
    if (!(size >= 0)) throw new SyntaxError('no chunk')
    const next = end + 2 + size + 2
    if (bytes.length < next) return undefined
    if (size === 0) return { bytes: Buffer.from(concat(...parts, utf8(''))), length: next }
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = next
  }
}
