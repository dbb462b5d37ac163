import { fromBase64, toBase64, toHex } from '../../attest/bytes.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import { type EvidenceBundle, openBundle } from '../../attest/evidence/index.ts'
import { type GatewayMessage, LinkError, type WorkerMessageOf } from '../../worker/protocol/link.ts'
import type { Clock } from './clock.ts'

/** Why a worker's evidence for somebody's nonce could not be had. */
export type RelayCode =
  /** Others wait for this worker already. */
  | 'busy'
  | 'timeout'
  /** The link was lost meanwhile. */
  | 'gone'
  /** The answer is no evidence over this nonce. */
  | 'malformed'
  | WorkerMessageOf<'no-evidence-for'>['code']

/** No evidence. `retryMs`: when it makes sense to ask again. */
export class RelayError extends ChrysalisError {
  readonly relay: RelayCode
  readonly retryMs: number

  constructor(relay: RelayCode, message: string, retryMs = 0) {
    super(`ERR_RELAY_${relay.toUpperCase()}`, message)
    this.relay = relay
    this.retryMs = retryMs
  }
}

export interface RelayOptions {
  clock: Clock
  /** Ms from the question to the answer, waiting included. */
  relayMs: number
  /** Questions that may wait behind the one that the worker works on. */
  relayWaiting: number
  send: (message: GatewayMessage) => void
}

/** One nonce on its way. */
interface Question {
  readonly nonce: Uint8Array
  /** 0 until it is sent. */
  ticket: number
  /** Nobody waits for it any more. */
  over: boolean
  readonly answer: PromiseWithResolvers<EvidenceBundle>
  stopTimer: () => void
}

const BUSY_RETRY_MS = 1_000

/**
 * Brings nonces of others to one worker and its evidence back: one at a time, a few in a row, the same nonce only once.
 * What comes back is checked for its shape and its nonce, and judged by whoever asked, never by us.
 */
export class EvidenceRelay {
  readonly #options: RelayOptions
  readonly #waiting: Question[] = []
  #asked: Question | undefined
  #tickets = 0

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Evidence over this nonce (32 bytes). @throws RelayError */
  ask(nonce: Uint8Array): Promise<EvidenceBundle> {
    const name = toHex(nonce)
    const same = [this.#asked, ...this.#waiting].find(
      (each) => each && !each.over && toHex(each.nonce) === name,
    )
    if (same) return same.answer.promise
    if (this.#asked && (this.#asked.over || this.#waiting.length >= this.#options.relayWaiting)) {
      return Promise.reject(new RelayError('busy', 'others are asking this worker already', BUSY_RETRY_MS))
    }
    const question: Question = {
      nonce,
      ticket: 0,
      over: false,
      answer: Promise.withResolvers(),
      stopTimer: () => {},
    }
    question.stopTimer = this.#options.clock.after(this.#options.relayMs, () => this.#giveUp(question))
    this.#waiting.push(question)
    this.#next()
    return question.answer.promise
  }

  /** The worker's answer. @throws LinkError unexpected_message when nothing was asked under this ticket */
  onAnswer(message: WorkerMessageOf<'evidence-for'> | WorkerMessageOf<'no-evidence-for'>): void {
    const question = this.#asked
    if (!question || question.ticket !== message.ticket) {
      throw new LinkError('unexpected_message', 'evidence that nobody asked for')
    }
    this.#asked = undefined
    if (message.type === 'evidence-for')
      this.#settle(question, () => checked(message.evidence, question.nonce))
    else {
      const { code, retryMs } = message
      this.#fail(question, new RelayError(code, `the worker gave no evidence: ${code}`, retryMs))
    }
    this.#next()
  }

  /** The link is gone. */
  lose(): void {
    const lost = [...(this.#asked ? [this.#asked] : []), ...this.#waiting.splice(0)]
    for (const question of lost) this.#fail(question, new RelayError('gone', 'the worker left meanwhile'))
  }

  #next(): void {
    if (this.#asked) return
    const question = this.#waiting.shift()
    if (!question) return
    this.#tickets += 1
    question.ticket = this.#tickets
    this.#asked = question
    this.#options.send({ type: 'attest-for', ticket: question.ticket, nonce: toBase64(question.nonce) })
  }

  // A question that was sent keeps its place: the worker still owes an answer, and one at a time is the rule.
  #giveUp(question: Question): void {
    const at = this.#waiting.indexOf(question)
    if (at >= 0) this.#waiting.splice(at, 1)
    this.#fail(question, new RelayError('timeout', 'the worker did not answer in time', BUSY_RETRY_MS))
  }

  #settle(question: Question, open: () => EvidenceBundle): void {
    if (question.over) return
    try {
      const bundle = open()
      this.#end(question)
      question.answer.resolve(bundle)
    } catch (error) {
      this.#fail(question, error)
    }
  }

  #fail(question: Question, error: unknown): void {
    if (question.over) return
    this.#end(question)
    question.answer.reject(error)
  }

  #end(question: Question): void {
    question.over = true
    question.stopTimer()
  }
}

/** The very object that came, once it has the shape of a bundle over this nonce. @throws RelayError malformed */
function checked(evidence: Readonly<Record<string, unknown>>, nonce: Uint8Array): EvidenceBundle {
  try {
    openBundle(evidence)
  } catch {
    throw new RelayError('malformed', 'what the worker sent is no evidence bundle')
  }
  const bundle = evidence as EvidenceBundle
  if (toHex(fromBase64(bundle.nonce)) !== toHex(nonce)) {
    throw new RelayError('malformed', 'what the worker sent is evidence over another nonce')
  }
  return bundle
}
