import { EventEmitter, on, once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RawData, WebSocket, WebSocketServer } from 'ws'

/** One WebSocket message on its way. */
export interface LinkMessage {
  direction: 'to-worker' | 'to-gateway'
  data: Buffer
  binary: boolean
}

/** Sees every message in order and says what goes on instead of it: itself, nothing, or others. */
export type Meddler = (message: LinkMessage) => LinkMessage[]

/** A man in the middle of the link: what a host or network owner can be. */
export class LinkProxy {
  /** Everything that passed, as it came in. */
  readonly captured: Buffer[] = []
  /** Text messages that went on to an open socket, parsed. */
  readonly passed: Record<string, unknown>[] = []
  meddle: Meddler = (message) => [message]
  #server: Server | undefined
  readonly #workers = new Set<WebSocket>()
  readonly #events = new EventEmitter<{ passed: [Record<string, unknown>] }>()
  #stalled: (() => void)[] | undefined

  /** Starts listening; returns the URL for the worker. `target` is the gateway's link. */
  async start(target: string): Promise<string> {
    const server = createServer()
    const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 1 << 24 })
    sockets.on('connection', (worker, request) => {
      const protocol = request.headers['sec-websocket-protocol'] ?? ''
      this.#bridge(worker, new WebSocket(target, protocol.split(/, */), { perMessageDeflate: false }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/link`
  }

  /** Holds everything back from now on, in both directions, until `flow`. */
  stall(): void {
    this.#stalled ??= []
  }

  flow(): void {
    const waiting = this.#stalled ?? []
    this.#stalled = undefined
    for (const deliver of waiting) deliver()
  }

  /** Resolves when a text message of which it `holds` goes on; at once when one has. */
  async untilPassed(holds: (message: Record<string, unknown>) => boolean): Promise<void> {
    if (this.passed.some(holds)) return
    for await (const [message] of on(this.#events, 'passed')) if (holds(message)) return
  }

  /** Cuts every connection without a word; new ones may come. */
  cut(): void {
    for (const socket of this.#workers) socket.terminate()
  }

  close(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
  }

  #bridge(worker: WebSocket, gateway: WebSocket): void {
    this.#workers.add(worker)
    worker.once('close', () => this.#workers.delete(worker))
    const opened = once(gateway, 'open')
    opened.catch(() => worker.terminate())
    this.#relay(worker, gateway, 'to-gateway', opened)
    this.#relay(gateway, worker, 'to-worker', opened)
  }

  #relay(
    from: WebSocket,
    to: WebSocket,
    direction: LinkMessage['direction'],
    opened: Promise<unknown>,
  ): void {
    from.on('message', (raw: RawData, binary: boolean) => {
      const data = raw as Buffer
      this.captured.push(Buffer.from(data))
      const deliver = () => {
        for (const message of this.meddle({ direction, data, binary }))
          opened.then(
            () => this.#pass(to, message),
            () => {},
          )
      }
      if (this.#stalled) this.#stalled.push(deliver)
      else deliver()
    })
    from.on('ping', (data) => to.readyState === WebSocket.OPEN && to.ping(data))
    from.on('close', () => to.terminate())
    from.on('error', () => to.terminate())
  }

  #pass(to: WebSocket, message: LinkMessage): void {
    if (to.readyState !== WebSocket.OPEN) return
    to.send(message.data, { binary: message.binary })
    if (message.binary) return
    const text = JSON.parse(message.data.toString())
    this.passed.push(text)
    this.#events.emit('passed', text)
  }
}
