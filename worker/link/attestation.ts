import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import type { Clock } from '../clock.ts'
import type { Worker } from '../enclave/index.ts'
import { LinkError, reattestMessage, type WorkerMessage } from '../protocol/index.ts'

/** The gateway takes one attest-request a second. */
const PAUSE_MS = 1_500

export interface AttestationOptions {
  worker: Worker
  clock: Clock
  send: (message: WorkerMessage) => void
}

/** Has each new epoch attested over one connection: request, nonce, evidence, answer; one round at a time. */
export class Attestation {
  readonly #options: AttestationOptions
  #ready = false
  #state: 'idle' | 'requested' | 'quoting' | 'sent' | 'resting' = 'idle'
  #due = false
  #cancelPause: () => void = () => {}

  constructor(options: AttestationOptions) {
    this.#options = options
  }

  /** The join is complete; an epoch that turned meanwhile is attested now. */
  begin(): void {
    this.#ready = true
    if (this.#due) this.request()
  }

  /** A new epoch waits to be attested. */
  request(): void {
    this.#due = true
    if (!this.#ready || this.#state !== 'idle') return
    this.#due = false
    this.#state = 'requested'
    this.#options.send({ type: 'attest-request' })
  }

  /** The gateway's nonce. @throws LinkError when nobody asked for it, else what the TEE throws */
  async onNonce(nonce: Uint8Array): Promise<void> {
    const { worker, send } = this.#options
    this.#state = 'quoting'
    const { bundle, claimsDigest } = await worker.evidence(nonce)
    const signature = toBase64(worker.sign(reattestMessage(nonce, claimsDigest)))
    this.#state = 'sent'
    send({ type: 'evidence', evidence: { ...bundle }, signature })
  }

  /** Reads a nonce message. @throws LinkError unexpected_message when nobody asked for it */
  nonceOf(nonce: string): Uint8Array {
    if (this.#state !== 'requested')
      throw new LinkError('unexpected_message', 'a nonce that nobody asked for')
    return fromBase64(nonce)
  }

  /** The gateway has accepted. @throws LinkError unexpected_message */
  onAttested(): void {
    if (this.#state !== 'sent') throw new LinkError('unexpected_message', 'an answer to no evidence')
    this.#state = 'resting'
    this.#cancelPause = this.#options.clock.after(PAUSE_MS, () => {
      this.#state = 'idle'
      if (this.#due) this.request()
    })
  }

  /** The connection is gone. */
  close(): void {
    this.#ready = false
    this.#cancelPause()
  }
}
