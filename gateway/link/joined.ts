import { type EvidenceBundle, type RegistrySubject, registryObjection } from '../../attest/evidence/index.ts'
import { LINK_LIMITS, type WorkerMessageOf } from '../../worker/protocol/link.ts'
import { isKnown } from '../known.ts'
import { EpochBook } from './epochs.ts'
import type { RegistryRules, SessionHost } from './host.ts'
import { type Attested, type Refusal, refusal, sameIdentity } from './judge.ts'
import type { Prepared } from './prepare.ts'
import type { Offer } from './terms.ts'
import type { VerifiedEpoch, WorkerHandle, WorkerIdentity, WorkerView } from './types.ts'

/** What follows for a worker when the registry is asked again; `drains`: it finishes what runs and comes back. */
export type Reconsidered = 'stays' | 'drains' | Refusal

/** A worker that was let in: what it was verified to be, what it offers, and what of that holds by now. */
export class JoinedWorker {
  readonly handle: WorkerHandle
  readonly identity: WorkerIdentity
  readonly offers: ReadonlyMap<string, Offer>
  /** Requests that it gets at once. */
  readonly slots: number
  readonly #host: SessionHost
  readonly #joinedAt: number
  readonly #epochs: EpochBook
  #subject: RegistrySubject | undefined
  #stapled: EvidenceBundle | undefined

  constructor(
    { identity, offers, ...attested }: Prepared,
    join: WorkerMessageOf<'join'>,
    handle: WorkerHandle,
    host: SessionHost,
  ) {
    const { clock, limits } = host
    this.handle = handle
    this.identity = identity
    this.offers = offers
    this.slots = Math.min(join.capacity.slots, limits.maxSlots, LINK_LIMITS.maxStreams)
    this.#host = host
    this.#joinedAt = clock.now()
    this.#epochs = new EpochBook(() => clock.now(), limits.epochMarginMs)
    this.#adopt(attested, join.evidence)
  }

  /** The epoch to seal to; undefined while none has enough time left. */
  get epoch(): VerifiedEpoch | undefined {
    return this.#epochs.current()
  }

  /** The evidence that its newest epoch was accepted by, for those who ask without a nonce, unless it is too large. */
  get stapled(): EvidenceBundle | undefined {
    return this.#stapled
  }

  /** Takes over a later epoch. @returns why that cannot be; undefined when it was */
  renew(judged: Attested, evidence: Readonly<Record<string, unknown>>): Refusal | undefined {
    if (!sameIdentity(this.identity, judged.identity)) {
      return refusal('terms', 'a later epoch has to be of the same boot and offer as the first')
    }
    this.#adopt(judged, evidence)
    return undefined
  }

  /**
   * Asks the registry again: a worker that it no longer allows is cut off; one whose price it no longer allows comes
   * back for another quote, and all of them when nothing can be relied on.
   */
  reconsider(): Reconsidered {
    const { registry, clock } = this.#host
    if (!registry) return 'stays'
    const view = viewOf(registry)
    if (!view) return 'drains'
    const objection = this.#subject
      ? registryObjection(view, this.#subject, clock.now())
      : 'nothing is known of this worker'
    if (objection !== undefined) {
      return { refused: 'evidence', factors: ['registry.allowed'], reason: objection }
    }
    return [...this.offers.values()].every(({ quote }) => registry.permits(quote.quote)) ? 'stays' : 'drains'
  }

  /** How it shows in lists. @param now what its session knows of this moment */
  view(now: Pick<WorkerView, 'session' | 'state' | 'active' | 'queued'>): WorkerView {
    const { epoch } = this
    const { workerId, bootId, tee, models } = this.identity
    return {
      workerId,
      bootId,
      session: now.session,
      tee,
      state: now.state,
      models,
      quotes: [...this.offers.values()].map(({ quote }) => quote),
      slots: this.slots,
      active: now.active,
      queued: now.queued,
      attested: epoch !== undefined,
      claimsDigest: epoch?.claimsDigest,
      epochEnds: epoch?.notAfter,
      joinedAt: this.#joinedAt,
      ledgerChannel: this.handle.payment.ledgerChannel,
    }
  }

  #adopt(
    { epoch, subject }: Pick<Attested, 'epoch' | 'subject'>,
    evidence: Readonly<Record<string, unknown>>,
  ): void {
    this.#epochs.add(epoch)
    this.#subject = subject
    const small = JSON.stringify(evidence).length <= this.#host.limits.maxStapledBytes
    this.#stapled = small ? (evidence as EvidenceBundle) : undefined
  }
}

/** What a registry says now; undefined while nothing of it can be relied on. */
function viewOf(registry: RegistryRules): ReturnType<RegistryRules['view']> | undefined {
  try {
    return registry.view()
  } catch (error) {
    if (isKnown(error)) return undefined
    throw error
  }
}
