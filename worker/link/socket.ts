import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import {
  CLOSE,
  type CloseName,
  LINK_LIMITS,
  LINK_SUBPROTOCOL,
  LinkError,
  type WorkerMessage,
} from '../protocol/index.ts'

/** Bytes in the socket above which nothing more is asked of the engine. */
const FULL_BYTES = 64 * 1024
/** Intervals without a sign of life after which the link counts as lost. */
const SILENT_INTERVALS = 2.5
/** Milliseconds that a peer gets to answer a close. */
const CLOSE_MS = 2_000

export interface SocketHandlers {
  /** May throw LinkError: the link then closes under that name. */
  onText(text: string): void
  onBinary(bytes: Uint8Array): void
  /** The socket takes bytes again. */
  onDrain(): void
  /** What was sent in this turn of the event loop is about to leave. When this throws nothing of it does. */
  onFlush(): void
  /** An interval has passed: time for a heartbeat. */
  onBeat(): void
  /** Called once, with a name of `CLOSE` (ours, or the gateway's reason), or `socket_error`, `peer_closed`. */
  onGone(code: string): void
}

/** One WebSocket to a gateway: bounded, corked once a tick, watched for silence, closed under a name. */
export class LinkSocket {
  /** Resolves when the connection is down, everything sent before the close included. */
  readonly closed: Promise<void>
  readonly #ws: WebSocket
  readonly #clock: Clock
  readonly #handlers: SocketHandlers
  #raw: Socket | undefined
  #corked = false
  #wasFull = false
  #lastSeen: number
  #heartbeatMs: number = LINK_LIMITS.handshakeMs
  #cancelBeat: () => void = () => {}
  #cancelKill: () => void = () => {}
  #gone = false

  constructor(url: string, clock: Clock, handlers: SocketHandlers) {
    this.#clock = clock
    this.#handlers = handlers
    this.#lastSeen = clock.monotonic()
    const ws = new WebSocket(url, LINK_SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: LINK_LIMITS.maxMessageBytes,
      handshakeTimeout: LINK_LIMITS.handshakeMs,
      followRedirects: false,
    })
    this.#ws = ws
    ws.on('upgrade', ({ socket }) => {
      this.#raw = socket
      socket.setNoDelay(true)
    })
    ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary))
    ws.on('ping', () => this.#seen())
    ws.on('pong', () => this.#seen())
    this.closed = new Promise((resolve) => ws.once('close', () => resolve()))
    ws.on('close', (_code, reason) => this.#leave(closeName(reason.toString('utf8'))))
    ws.on('error', (error) => this.#leave(errorName(error)))
  }

  get gone(): boolean {
    return this.#gone
  }

  /** False while more than 64 KiB wait in the socket. */
  get writable(): boolean {
    if (this.#ws.bufferedAmount <= FULL_BYTES) return true
    this.#wasFull = true
    return false
  }

  /** Starts heartbeats, and the watch for the gateway's pings. */
  keepAlive(heartbeatMs: number): void {
    this.#heartbeatMs = heartbeatMs
    this.#seen()
    this.#watch()
  }

  send(message: WorkerMessage): void {
    this.#write(JSON.stringify(message), false)
  }

  sendBinary(bytes: Uint8Array): void {
    this.#write(bytes, true)
  }

  /** Closes under a name of `CLOSE`; nothing more is heard from the gateway. */
  close(name: CloseName): void {
    if (this.#gone) return
    this.#ws.close(CLOSE[name], name)
    if (name === 'heartbeat_lost' || name === 'limit_exceeded') this.#ws.terminate()
    else this.#cancelKill = this.#clock.after(CLOSE_MS, () => this.#ws.terminate())
    this.#leave(name)
  }

  #write(data: string | Uint8Array, binary: boolean): void {
    if (this.#gone) return
    this.#cork()
    this.#ws.send(data, { binary }, () => {
      if (!this.#wasFull || !this.writable) return
      this.#wasFull = false
      if (!this.#gone) this.#handlers.onDrain()
    })
  }

  // Frames of many streams that fall into one tick leave in one system call.
  #cork(): void {
    const raw = this.#raw
    if (!raw || this.#corked) return
    this.#corked = true
    raw.cork()
    process.nextTick(() => {
      this.#corked = false
      try {
        this.#handlers.onFlush()
      } catch {
        this.#ws.terminate()
        return this.#leave('internal')
      }
      raw.uncork()
    })
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#gone) return
    this.#seen()
    try {
      if (isBinary) this.#handlers.onBinary(data)
      else this.#handlers.onText(data.toString('utf8'))
    } catch (error) {
      this.close(error instanceof LinkError ? error.closeName : 'internal')
    }
  }

  #seen(): void {
    this.#lastSeen = this.#clock.monotonic()
  }

  #watch(): void {
    this.#cancelBeat()
    this.#cancelBeat = this.#clock.after(this.#heartbeatMs, () => {
      if (this.#gone) return
      const silent = this.#clock.monotonic() - this.#lastSeen
      if (silent > this.#heartbeatMs * SILENT_INTERVALS) return this.close('heartbeat_lost')
      this.#handlers.onBeat()
      this.#watch()
    })
  }

  #leave(code: string): void {
    if (this.#gone) {
      if (this.#ws.readyState === WebSocket.CLOSED) this.#cancelKill()
      return
    }
    this.#gone = true
    this.#cancelBeat()
    this.#handlers.onGone(code)
  }
}

function closeName(reason: string): string {
  return Object.hasOwn(CLOSE, reason) ? reason : 'peer_closed'
}

// ws closes by itself what it cannot parse or what is too large; this only names it.
function errorName(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'limit_exceeded'
  return code?.startsWith('WS_ERR_') ? 'malformed_message' : 'socket_error'
}
