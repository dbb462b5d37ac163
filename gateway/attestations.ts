import { toHex } from '../attest/bytes.ts'
import { codeOf } from '../attest/cli/process.ts'
import type { EvidenceBundle } from '../attest/evidence/index.ts'
import {
  Allowance,
  type ApiError,
  type AttestationAnswer,
  type AttestationProblem,
  type AttestationQuery,
  clip,
  modelNotFound,
  type NonceTurns,
  networkOf,
  notFound,
  rateLimited,
  timedOut,
  unavailable,
  type WorkerAttestation,
} from '../worker/protocol/index.ts'
import type { GatewayIdentity } from './identity.ts'
import { type EvidenceSource, type LinkLog, RelayError } from './link/index.ts'
import { strangersTurns, WorkerShares } from './strangers.ts'

/** Workers whose evidence one answer holds; more are named with `?worker=`. */
const MOST_WORKERS = 16
/** What all addresses together get, as a multiple of what one gets. */
const GLOBAL_SHARE = 10

export interface AttestationOptions {
  identity: Pick<GatewayIdentity, 'evidence' | 'stapled'>
  /** The workers that are joined now. */
  sources: () => readonly EvidenceSource[]
  /** Bundles that one address gets made in a minute. */
  perMinute: number
  /** Monotonic ms. */
  monotonic: () => number
  log: LinkLog
}

/** A worker's evidence, or why there is none. */
interface Outcome {
  worker?: WorkerAttestation
  failed?: RelayError
}

/**
 * Answers who asks what runs here: with evidence over the caller's nonce, each bundle made for it, or with what is at
 * hand. A quote costs a TEE up to 0.1 s, so nonces are counted by the bundles that they cause: for each address, for
 * all together, and for each address at each worker. Few wait at the gateway's own TEE.
 */
export class AttestationDesk {
  readonly #options: AttestationOptions
  readonly #each: Allowance
  readonly #all: Allowance
  readonly #own: NonceTurns
  readonly #shares: WorkerShares

  constructor(options: AttestationOptions) {
    this.#options = options
    const { perMinute, monotonic: now, identity } = options
    this.#own = strangersTurns((nonce) => identity.evidence(nonce))
    this.#shares = new WorkerShares(now)
    const burst = Math.max(MOST_WORKERS + 1, perMinute)
    this.#each = new Allowance({ burst, perMinute, now })
    this.#all = new Allowance({ burst: burst * GLOBAL_SHARE, perMinute: perMinute * GLOBAL_SHARE, now })
  }

  /**
   * @param address of whoever asks
   * @throws ApiError 404 for a worker or model that is not here, 429, and 503 or 504 when a worker or model was named
   *   and there is no evidence of it
   */
  async answer(query: AttestationQuery, address: string): Promise<AttestationAnswer> {
    const { nonce } = query
    const named = this.#pick(query)
    const picked = named.slice(0, MOST_WORKERS)
    const caller = networkOf(address)
    if (nonce) this.#own.demandRoom(nonce, caller)
    this.#pay(caller, nonce ? picked.length + 1 : 1)
    const errors: AttestationProblem[] = []
    const own = this.#ownEvidence(nonce, caller).catch((error) => {
      this.#options.log.warn({ code: codeOf(error) }, 'no evidence of this gateway')
      errors.push({ worker: null, code: 'gateway_evidence', message: "The gateway's own TEE failed." })
      return null
    })
    const [gateway, ...outcomes] = await Promise.all([
      own,
      ...picked.map((source) => this.#evidenceOf(source, nonce, caller)),
    ])
    if (query.worker !== undefined || query.model !== undefined) demandOne(outcomes)
    for (const [index, { failed }] of outcomes.entries()) {
      if (failed) errors.push(problem(picked[index]?.workerId ?? '', failed))
    }
    if (named.length > picked.length) errors.push(tooMany(named.length - picked.length))
    const workers = outcomes.flatMap(({ worker }) => worker ?? [])
    return { object: 'chrysalis.attestation', nonce: nonce ? toHex(nonce) : null, gateway, workers, errors }
  }

  /** The workers that the query means. @throws ApiError 404 */
  #pick({ worker, model }: AttestationQuery): readonly EvidenceSource[] {
    let sources = this.#options.sources()
    if (worker !== undefined) {
      sources = sources.filter(({ workerId }) => workerId === worker)
      if (sources.length === 0) {
        const message = `There is no worker \`${clip(worker)}\` here. Ask without it for those that are.`
        throw notFound(message, 'worker_not_found', 'worker')
      }
    }
    if (model === undefined) return sources
    const serving = sources.filter(({ models }) => models.some(({ id }) => id === model))
    if (serving.length === 0) throw modelNotFound(model)
    return serving
  }

  /** @throws ApiError 429 */
  #pay(caller: string, cost: number): void {
    const wait = this.#each.take(caller, cost)
    if (wait > 0) throw tooOften('this address', wait)
    const everyone = this.#all.take('', cost)
    if (everyone === 0) return
    this.#each.giveBack(caller, cost)
    throw tooOften('this gateway', everyone)
  }

  #ownEvidence(nonce: Uint8Array | undefined, caller: string): Promise<EvidenceBundle> {
    return nonce ? this.#own.evidence(nonce, caller) : this.#options.identity.stapled()
  }

  async #evidenceOf(source: EvidenceSource, nonce: Uint8Array | undefined, caller: string): Promise<Outcome> {
    const { workerId: id, models, stapled } = source
    try {
      const wait = nonce ? this.#shares.take(id, caller) : 0
      if (wait > 0) throw new RelayError('rate_limited', 'this address asked this worker too often', wait)
      const evidence = nonce ? await source.evidence(nonce) : stapled
      if (!evidence)
        throw new RelayError('too_large', 'the evidence is too large to be kept: ask with a nonce')
      return { worker: { id, models: models.map((model) => model.id), evidence } }
    } catch (error) {
      if (error instanceof RelayError) return { failed: error }
      throw error
    }
  }
}

/** Who named a worker or model wants its evidence: none at all is an error. @throws ApiError */
function demandOne(outcomes: readonly Outcome[]): void {
  const failures = outcomes.flatMap(({ failed }) => failed ?? [])
  const [first] = failures
  if (!first || failures.length < outcomes.length) return
  const message = `No evidence of the worker: ${first.message}.`
  const seconds = Math.ceil(first.retryMs / 1000)
  if (first.relay === 'rate_limited' || first.relay === 'busy') {
    throw rateLimited(message, seconds, first.relay === 'busy' ? 'worker_busy' : undefined)
  }
  if (first.relay === 'timeout') throw timedOut(message)
  throw unavailable(message, `worker_${first.relay}`)
}

function problem(worker: string, { relay, message }: RelayError): AttestationProblem {
  return { worker, code: `worker_${relay}`, message }
}

function tooMany(left: number): AttestationProblem {
  const message = `${left} more are joined. Name one with ?worker=ID, or its model with ?model=ID.`
  return { worker: null, code: 'too_many_workers', message }
}

function tooOften(whom: string, waitMs: number): ApiError {
  const seconds = Math.ceil(waitMs / 1000)
  return rateLimited(
    `Rate limit reached: too much evidence was asked of ${whom}. Retry in ${seconds} s.`,
    seconds,
  )
}
