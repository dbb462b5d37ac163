import { fromBase64 } from '../../attest/bytes.ts'
import type { Clock } from '../clock.ts'
import type { Worker } from '../enclave/index.ts'
import { codeOf, type Log } from '../log.ts'
import {
  Allowance,
  type GatewayMessageOf,
  LINK_LIMITS,
  LinkError,
  type NoEvidence,
  type WorkerMessage,
} from '../protocol/index.ts'

/** Quotes that one link may have for strangers' nonces: at once, and in a minute. */
const BURST = 10
const PER_MINUTE = 60

export interface RelayedOptions {
  worker: Pick<Worker, 'evidence'>
  clock: Clock
  log: Log
  send: (message: WorkerMessage) => void
}

/** Evidence for nonces that a gateway passes on from others: one at a time, and not too often. Never signed. */
export class RelayedEvidence {
  readonly #options: RelayedOptions
  readonly #allowance: Allowance
  #busy = false

  constructor(options: RelayedOptions) {
    this.#options = options
    this.#allowance = new Allowance({ burst: BURST, perMinute: PER_MINUTE, now: options.clock.monotonic })
  }

  /** @throws LinkError limit_exceeded when the last one is not answered yet */
  onNonce({ ticket, nonce }: GatewayMessageOf<'attest-for'>): void {
    if (this.#busy) throw new LinkError('limit_exceeded', 'nonces of others come one at a time')
    const retryMs = this.#allowance.take()
    if (retryMs > 0) {
      this.#refuse(ticket, 'rate_limited', retryMs)
      return
    }
    this.#busy = true
    void this.#answer(ticket, fromBase64(nonce))
  }

  async #answer(ticket: number, nonce: Uint8Array): Promise<void> {
    const { worker, log, send } = this.#options
    try {
      const { bundle } = await worker.evidence(nonce)
      const message: WorkerMessage = { type: 'evidence-for', ticket, evidence: { ...bundle } }
      const fits = JSON.stringify(message).length <= LINK_LIMITS.maxMessageBytes
      this.#busy = false
      if (fits) send(message)
      else this.#refuse(ticket, 'too_large', 0)
    } catch (error) {
      this.#busy = false
      log.warn({ code: codeOf(error) }, 'no evidence for a nonce that the gateway passed on')
      this.#refuse(ticket, 'internal', 0)
    }
  }

  #refuse(ticket: number, code: NoEvidence, retryMs: number): void {
    this.#options.send({ type: 'no-evidence-for', ticket, code, retryMs })
  }
}
