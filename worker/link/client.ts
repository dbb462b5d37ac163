import { codeOf } from '../log.ts'
import { BackOff } from './back-off.ts'
import { Session, type SessionOptions } from './session.ts'

export interface LinkOptions extends Omit<SessionOptions, 'onReady' | 'onGone'> {
  /** From 0 to 1, 1 excluded. */
  random?: () => number
  /** Called before each attempt. */
  onDial?: () => void
  /** Called after each join; `session` is the gateway's name of the connection. */
  onJoined?: (session: string) => void
  /** Called whenever a connection ends or cannot be made. */
  onLost?: (code: string) => void
}

/** Keeps one link to one gateway: dials, joins, and dials again with growing pauses until it is closed. */
export class Link {
  readonly #options: LinkOptions
  readonly #backOff: BackOff
  #session: Session | undefined
  /** Lost sessions whose last streams are still being put to rest. */
  readonly #resting = new Set<Session>()
  #closed = false
  #cancelTimer: () => void = () => {}

  constructor(options: LinkOptions) {
    this.#options = options
    this.#backOff = new BackOff(options.random ?? Math.random)
  }

  get joined(): boolean {
    return this.#session?.ready === true
  }

  /** Starts dialling; nothing is thrown, each failure is logged and tried again. */
  start(): void {
    this.#dial()
  }

  /** The registry says something else, or nothing any more. */
  reconsider(): void {
    this.#session?.reconsider()
  }

  /**
   * Takes nothing new, lets running streams finish for at most `drainMs`, then closes for good. Resolves when every
   * stream has signed its last receipt and the connection is down.
   */
  async close(drainMs: number): Promise<void> {
    this.#closed = true
    this.#cancelTimer()
    const session = this.#session
    if (session) {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const cancel = this.#options.clock.after(drainMs, resolve)
      await Promise.race([session.drain(), late])
      cancel()
      session.close('going_away')
      await session.closed
    }
    await Promise.all([...this.#resting].map((resting) => resting.drain()))
  }

  #dial(): void {
    if (this.#closed) return
    this.#options.onDial?.()
    try {
      this.#session = new Session({
        ...this.#options,
        onReady: (session) => {
          this.#backOff.reset()
          this.#options.onJoined?.(session.name)
        },
        onGone: (session, code) => this.#onGone(session, code),
      })
    } catch (error) {
      this.#options.log.error({ code: codeOf(error) }, 'the gateway cannot be dialled')
      this.#retry()
    }
  }

  #onGone(session: Session, code: string): void {
    if (this.#session === session) this.#session = undefined
    this.#resting.add(session)
    void session.drain().then(() => this.#resting.delete(session))
    this.#options.log.warn({ code }, 'link lost')
    this.#options.onLost?.(code)
    this.#retry()
  }

  #retry(): void {
    if (this.#closed) return
    const wait = this.#backOff.next()
    this.#cancelTimer = this.#options.clock.after(wait, () => this.#dial())
  }
}
