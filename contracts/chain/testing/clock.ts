import type { Clock } from '../toncenter/clock.ts'

/** A clock that only moves when somebody waits on it, so that no test ever sleeps. */
export class FakeClock implements Clock {
  /** True time, Unix milliseconds; tests may move it forward. */
  ms: number
  /** By how much this machine's time is wrong, in milliseconds. */
  skew = 0
  /** What the world does while somebody waits. */
  onSleep: () => Promise<void> = async () => undefined
  /** The waits so far, in milliseconds. */
  readonly sleeps: number[] = []
  private readonly timeouts = new Set<AbortController>()

  constructor(seconds: number) {
    this.ms = seconds * 1000
  }

  wall(): number {
    return this.ms + this.skew
  }

  now(): number {
    return this.ms
  }

  async sleep(ms: number): Promise<void> {
    this.sleeps.push(ms)
    const until = this.ms + ms
    this.ms = Math.max(this.ms, until)
    await this.onSleep()
  }

  /** Never comes on its own: see {@link expire}. */
  timeout(): AbortSignal {
    const controller = new AbortController()
    this.timeouts.add(controller)
    return controller.signal
  }

  /** Lets every time-out that is set come now. */
  expire(): void {
    for (const controller of this.timeouts) {
      controller.abort(new DOMException('The operation timed out', 'TimeoutError'))
    }
    this.timeouts.clear()
  }

  random(): number {
    return 0.5
  }
}
