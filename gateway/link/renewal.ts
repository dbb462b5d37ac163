import { LinkError, type WorkerMessageOf } from '../../worker/protocol/link.ts'
import type { SessionHost } from './host.ts'
import { type Attested, freshNonce, judgedBy, judgeReattest, type Refusal } from './judge.ts'

/** Attests the later epochs of a joined worker: one nonce at a time, and not too often. */
export class Renewal {
  readonly #host: SessionHost
  #nonce: Uint8Array | undefined
  #notBefore = 0

  constructor(host: SessionHost) {
    this.#host = host
  }

  /** A nonce for the next evidence, 32 bytes. @throws LinkError limit_exceeded when one is out, or was just now */
  challenge(): Uint8Array {
    const now = this.#host.clock.now()
    if (this.#nonce || now < this.#notBefore) {
      throw new LinkError('limit_exceeded', 'attest-requests come one at a time')
    }
    this.#notBefore = now + this.#host.limits.attestIntervalMs
    this.#nonce = freshNonce()
    return this.#nonce
  }

  /** Judges evidence over the nonce. @throws LinkError unexpected_message, at once, when none is out */
  judge(message: WorkerMessageOf<'evidence'>): Promise<Attested | Refusal> {
    const nonce = this.#nonce
    if (!nonce) throw new LinkError('unexpected_message', 'evidence that nobody asked for')
    this.#nonce = undefined
    const host = this.#host
    return host.judging.run(() => judgedBy(host, (judging) => judgeReattest(message, nonce, judging)))
  }
}
