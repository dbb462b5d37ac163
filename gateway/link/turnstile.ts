import type { Turnstile } from './host.ts'

/** A turnstile that lets `width` works run at once, in the order in which they came. */
export function makeTurnstile(width: number): Turnstile {
  let running = 0
  const waiting: (() => void)[] = []
  return {
    async run(work) {
      if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve))
      else running += 1
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else running -= 1
      }
    },
  }
}
