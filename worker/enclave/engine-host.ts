import { ChrysalisError } from '../../attest/errors.ts'
import type { Clock } from '../clock.ts'
import type { Engine, ModelInfo } from '../engine/index.ts'
import { codeOf, type Log } from '../log.ts'

/** The engine came back with another model than the claims name. */
export class ModelChanged extends ChrysalisError {
  constructor() {
    super(
      'ERR_MODEL_CHANGED',
      'the model file changed while the worker ran: restart the worker to claim the new one',
    )
  }
}

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 30_000
/** An engine that ran this long starts the back-off anew. */
const STABLE_MS = 60_000

export interface EngineHostOptions {
  start: () => Promise<Engine>
  clock: Clock
  log: Log
  /** The engine is gone for good. */
  onFatal: (error: ChrysalisError) => void
}

/** Keeps one engine running: starts it again after a crash, with growing pauses, and only with the same model. */
export class EngineHost {
  readonly info: ModelInfo
  readonly sequences: number
  readonly accelerator: string
  readonly #options: EngineHostOptions
  #engine: Engine | undefined
  #failures = 0
  #startedAt: number
  #closed = false
  #cancelTimer: () => void = () => {}
  #waiting: (() => void)[] = []

  private constructor(engine: Engine, options: EngineHostOptions) {
    this.info = engine.info
    this.sequences = engine.sequences
    this.accelerator = engine.accelerator
    this.#options = options
    this.#startedAt = options.clock.monotonic()
    this.#adopt(engine)
  }

  /** Starts the first engine; what `start` throws goes to the caller. */
  static async open(options: EngineHostOptions): Promise<EngineHost> {
    return new EngineHost(await options.start(), options)
  }

  /** The running engine, or undefined while it starts again. */
  get engine(): Engine | undefined {
    return this.#engine
  }

  /** Resolves once an engine runs (again), or the host is closed. */
  async running(): Promise<void> {
    while (!this.#engine && !this.#closed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer()
    const engine = this.#engine
    this.#engine = undefined
    this.#wake()
    await engine?.close()
  }

  #adopt(engine: Engine): void {
    this.#engine = engine
    this.#startedAt = this.#options.clock.monotonic()
    void engine.closed.then((exit) => {
      if (this.#closed || this.#engine !== engine) return
      this.#engine = undefined
      this.#options.log.warn({ exitCode: exit.exitCode, signal: exit.signal }, 'engine lost')
      if (this.#options.clock.monotonic() - this.#startedAt > STABLE_MS) this.#failures = 0
      this.#retry()
    })
    this.#wake()
  }

  #retry(): void {
    if (this.#closed) return
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures)
    this.#failures += 1
    this.#cancelTimer = this.#options.clock.after(wait, () => void this.#restart())
  }

  async #restart(): Promise<void> {
    if (this.#closed) return
    try {
      const engine = await this.#options.start()
      if (this.#closed) return await engine.close()
      if (JSON.stringify(engine.info) !== JSON.stringify(this.info)) {
        await engine.close()
        return this.#options.onFatal(new ModelChanged())
      }
      this.#options.log.info({}, 'engine started again')
      this.#adopt(engine)
    } catch (error) {
      this.#options.log.error({ code: codeOf(error) }, 'engine did not start')
      this.#retry()
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
