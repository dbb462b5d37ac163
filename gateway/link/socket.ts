import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { ChrysalisError } from '../../attest/errors.ts'
import { CLOSE, type CloseName, type GatewayMessage, LinkError } from '../../worker/protocol/link.ts'
import type { Clock } from './clock.ts'

/** Intervals without a sign of life after which the link counts as lost. */
const SILENT_INTERVALS = 2.5

/** Milliseconds that a peer gets to answer a close. */
const CLOSE_MS = 2_000

export interface LinkSocketOptions {
  clock: Clock
  heartbeatMs: number
  maxBufferedBytes: number
  /** What the WebSocket writes to: what one tick sends leaves in one system call. Absent: each message in its own. */
  raw?: Duplex
  /** May throw LinkError: the link then closes under that name. */
  onText(text: string): void
  onBinary(bytes: Uint8Array): void
  /** Called once. `code` is a `CLOSE` name of ours, or `peer_closed` or `socket_error`. */
  onGone(code: string): void
}

/** One WebSocket of a worker: bounded in what it buffers, watched for silence, closed under a name. */
export class LinkSocket {
  readonly #ws: WebSocket
  readonly #options: LinkSocketOptions
  #lastSeen: number
  #stopTimer: () => void = () => {}
  #gone = false
  #paused = false
  #corked = false

  constructor(ws: WebSocket, options: LinkSocketOptions) {
    this.#ws = ws
    this.#options = options
    this.#lastSeen = options.clock.now()
    ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary))
    ws.on('pong', () => this.#seen())
    ws.on('ping', () => {
      this.#seen()
      this.#checkBuffer()
    })
    ws.on('close', () => this.#leave('peer_closed'))
    ws.on('error', (error) => this.#leave(nameOfError(error)))
    this.#watch()
  }

  get gone(): boolean {
    return this.#gone
  }

  /** Sends a control message; says nothing when the link is gone. */
  send(message: GatewayMessage): void {
    if (this.#gone) return
    this.#cork()
    this.#ws.send(JSON.stringify(message))
    this.#checkBuffer()
  }

  /** Resolves when the socket has taken the bytes. @throws LinkError when the link is gone */
  sendBinary(bytes: Uint8Array): Promise<void> {
    if (this.#gone) return Promise.reject(new LinkError('going_away', 'the link is gone'))
    this.#cork()
    return new Promise((resolve, reject) => {
      this.#ws.send(bytes, { binary: true }, (error) => {
        if (error) reject(new LinkError('going_away', 'the link is gone', { cause: error }))
        else resolve()
      })
    })
  }

  /** Stops reading (a few messages that were already read may still arrive). */
  pause(): void {
    this.#paused = true
    this.#ws.pause()
  }

  resume(): void {
    this.#paused = false
    this.#seen()
    this.#ws.resume()
  }

  /** Closes under a name of `CLOSE`; nothing of the worker is heard after this. */
  close(name: CloseName): void {
    if (this.#gone) return
    this.#ws.close(CLOSE[name], name)
    // A peer that is paused, silent or does not read would never finish the closing handshake.
    if (this.#paused || name === 'heartbeat_lost' || name === 'limit_exceeded') this.#ws.terminate()
    else this.#options.clock.after(CLOSE_MS, () => this.#ws.terminate())
    this.#leave(name)
  }

  #cork(): void {
    const { raw } = this.#options
    if (!raw || this.#corked) return
    this.#corked = true
    raw.cork()
    process.nextTick(() => {
      this.#corked = false
      raw.uncork()
    })
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#gone) return
    this.#seen()
    try {
      if (isBinary) this.#options.onBinary(data)
      else this.#options.onText(data.toString('utf8'))
    } catch (error) {
      this.close(error instanceof LinkError ? error.closeName : 'internal')
    }
  }

  #seen(): void {
    this.#lastSeen = this.#options.clock.now()
  }

  #watch(): void {
    this.#stopTimer = this.#options.clock.after(this.#options.heartbeatMs, () => this.#beat())
  }

  #beat(): void {
    if (this.#gone) return
    const { clock, heartbeatMs } = this.#options
    const silent = clock.now() - this.#lastSeen
    if (!this.#paused && silent > heartbeatMs * SILENT_INTERVALS) this.close('heartbeat_lost')
    this.#checkBuffer()
    if (this.#gone) return
    this.#ws.ping()
    this.#watch()
  }

  /** A worker that does not read must not make us keep what it ought to have read. */
  #checkBuffer(): void {
    if (!this.#gone && this.#ws.bufferedAmount > this.#options.maxBufferedBytes) this.close('limit_exceeded')
  }

  #leave(code: string): void {
    if (this.#gone) return
    this.#gone = true
    this.#stopTimer()
    this.#options.onGone(code)
  }
}

// ws closes by itself what it cannot parse or is too large; this only names it.
function nameOfError(error: Error): string {
  const code = error instanceof ChrysalisError ? error.code : (error as NodeJS.ErrnoException).code
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'limit_exceeded'
  return code?.startsWith('WS_ERR_') ? 'malformed_message' : 'socket_error'
}
