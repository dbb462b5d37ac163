/** The sender's HPKE contexts, each used for many requests (DESIGN section 4, "Sessions"). */

import { toHex } from '../bytes.ts'
import { nodeTimer, type Timer } from '../epoch/epoch-keys.ts'
import { type SenderSetup, type SetupSender, setupSender } from '../epoch/kem.ts'

/** Longest use of one context, ms. */
export const SESSION_MS = 60_000
/** Requests that one context serves. */
export const SESSION_REQUESTS = 4096

interface Session {
  readonly setup: Promise<SenderSetup>
  readonly until: number
  left: number
}

export interface SenderSessionsOptions {
  /** Monotonic milliseconds; default: performance.now. */
  readonly monotonic?: () => number
  /** Default: an unreferenced setTimeout. */
  readonly timer?: Timer
  /** Replaced by tests. */
  readonly setup?: SetupSender
}

/**
 * One encapsulation for many requests to one epoch: at most 60 s and 4,096 requests, and never beyond the epoch, which
 * `seal` checks for every request. Each request has keys of its own, exported over the whole of its context, so no two
 * share one; what it looks like on the wire is the same as without.
 *
 * The price is forward secrecy on the sender's side: whoever reads this process's memory can open the recorded
 * requests and responses of the sessions that live in it then, up to a minute back; without sessions, only of those that
 * are under way. The receiver's side is as it was: its epoch key opens everything until it is erased. And on the wire,
 * requests of one session can be seen to be of one sender, as they can by the connection that they come on.
 */
export class SenderSessions {
  readonly #monotonic: () => number
  readonly #timer: Timer
  readonly #setup: SetupSender
  readonly #sessions = new Map<string, Session>()

  constructor(options: SenderSessionsOptions = {}) {
    const { monotonic = () => performance.now(), timer = nodeTimer, setup = setupSender } = options
    this.#monotonic = monotonic
    this.#timer = timer
    this.#setup = setup
  }

  /**
   * The context for one more request to `publicKey` under `info` (which names epoch and claims): that of a session,
   * begun if there is none. Rejects as the encapsulation does; the next call then tries again.
   */
  readonly setup: SetupSender = (publicKey, info) => {
    const name = toHex(info)
    const known = this.#sessions.get(name)
    if (known !== undefined && known.left > 0 && this.#monotonic() < known.until) {
      known.left -= 1
      return known.setup
    }
    return this.#begin(name, publicKey, info)
  }

  #begin(name: string, publicKey: Uint8Array, info: Uint8Array): Promise<SenderSetup> {
    const setup = this.#setup(publicKey, info)
    const session = { setup, until: this.#monotonic() + SESSION_MS, left: SESSION_REQUESTS - 1 }
    this.#sessions.set(name, session)
    const forget = () => {
      if (this.#sessions.get(name) === session) this.#sessions.delete(name)
    }
    // Not only when the next request comes: what is of no use any more must not be there to be read.
    const cancel = this.#timer(forget, SESSION_MS)
    setup.catch(() => {
      cancel()
      forget()
    })
    return setup
  }
}
