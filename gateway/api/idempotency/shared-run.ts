import type { DispatchEvent, DispatchResponse } from '../../dispatch/index.ts'
import { replayUnavailable } from './errors.ts'

export interface SharedRunOptions {
  /** Begins the execution; the signal says that nobody wants its answer any more. */
  start: (signal: AbortSignal) => Promise<DispatchResponse>
  /** Told once: whether the whole answer is here, charged and to be had again. */
  onEnd: (whole: boolean) => void
  /** This many more bytes are held; may call `drop`. */
  onGrow: (bytes: number) => void
}

/**
 * One execution of a request and everybody who wants its answer. What one listener has pulled lies here for the others,
 * whenever they come; the engine goes as fast as the fastest of them reads. It is cancelled when the last one leaves
 * before the end.
 */
export class SharedRun {
  readonly #options: SharedRunOptions
  readonly #nobody = new AbortController()
  readonly #answer: Promise<DispatchResponse>
  readonly #events: DispatchEvent[] = []
  /** Events that are no longer here. */
  #dropped = 0
  #listeners = 0
  #charged = false
  #pulling: Promise<void> | undefined
  #source: AsyncIterator<DispatchEvent> | undefined
  #ended: { readonly error?: unknown } | undefined

  constructor(options: SharedRunOptions) {
    this.#options = options
    this.#answer = options.start(this.#nobody.signal)
    this.#answer.then(
      ({ events, done }) => {
        this.#source = events[Symbol.asyncIterator]()
        done.then(
          () => {
            this.#charged = true
          },
          () => {},
        )
      },
      (error: unknown) => this.#end({ error }),
    )
  }

  /** Whether a listener that comes now gets the answer from its beginning. */
  get replayable(): boolean {
    return this.#dropped === 0
  }

  /**
   * The answer for one more listener.
   *
   * @param signal it went away
   * @throws what the execution threw before its first frame
   */
  async listen(signal: AbortSignal): Promise<DispatchResponse> {
    this.#listeners += 1
    let listening = true
    const leave = () => {
      if (!listening) return
      listening = false
      signal.removeEventListener('abort', leave)
      this.#left()
    }
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    try {
      return { ...(await this.#answer), events: this.#replay(leave) }
    } catch (error) {
      leave()
      throw error
    }
  }

  /**
   * Lets go of the oldest events, of at least `bytes` bytes where there are as many; returns how many went. The newest
   * stays for whoever asked for it.
   */
  drop(bytes: number): number {
    let freed = 0
    while (freed < bytes && this.#events.length > 1) {
      const event = this.#events.shift()
      if (!event) break
      this.#dropped += 1
      freed += sizeOf(event)
    }
    return freed
  }

  async *#replay(leave: () => void): AsyncGenerator<DispatchEvent, void> {
    try {
      for (let at = 0; ; at++) {
        const event = await this.#at(at)
        if (!event) return
        yield event
      }
    } finally {
      leave()
    }
  }

  /** The event of that number; undefined after the last. */
  async #at(at: number): Promise<DispatchEvent | undefined> {
    for (;;) {
      if (at < this.#dropped) throw replayUnavailable()
      const event = this.#events[at - this.#dropped]
      if (event) return event
      if (this.#ended) {
        if ('error' in this.#ended) throw this.#ended.error
        return undefined
      }
      await this.#pull()
    }
  }

  /** Two listeners that want the same event pull once. */
  #pull(): Promise<void> {
    this.#pulling ??= this.#next().finally(() => {
      this.#pulling = undefined
    })
    return this.#pulling
  }

  async #next(): Promise<void> {
    try {
      const next = await this.#source?.next()
      if (!next || next.done) return this.#end({})
      this.#events.push(next.value)
      this.#options.onGrow(sizeOf(next.value))
    } catch (error) {
      this.#end({ error })
    }
  }

  #end(ended: { readonly error?: unknown }): void {
    if (this.#ended) return
    this.#ended = ended
    this.#options.onEnd(!('error' in ended))
  }

  /** An answer that is paid for is kept to its end, although nobody was there for it. */
  #left(): void {
    this.#listeners -= 1
    if (this.#listeners > 0 || this.#ended) return
    if (this.#charged) void this.#finish()
    else this.#nobody.abort()
  }

  async #finish(): Promise<void> {
    while (!this.#ended) await this.#pull()
  }
}

function sizeOf(event: DispatchEvent): number {
  return event.type === 'event' ? event.json.length : event.bytes.length
}
