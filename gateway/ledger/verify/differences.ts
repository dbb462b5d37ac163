/** One thing that does not fit; the ledger, or what it is compared with, is not as it was written. */
export interface Difference {
  /** What it is about: `channel 0:…`, `request …`, `entry 7`, `voucher 0:… 100`, `file`. */
  about: string
  /** What is wrong, with both numbers where there are two. */
  problem: string
}

export type Tell = (about: string, problem: string) => void

/** Says so when two things that must be the same are not. */
export function same(tell: Tell, about: string, what: string, is: unknown, should: unknown): void {
  if (is !== should) tell(about, `${what} is ${is}, and should be ${should}`)
}
