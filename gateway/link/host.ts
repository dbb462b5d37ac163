import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import type { GpuTools } from '../../attest/gpu/index.ts'
import type { Policy, RegistryView } from '../../attest/policy/index.ts'
import type { Quote } from '../../worker/protocol/quote.ts'
import type { Clock } from './clock.ts'
import type { Refusal } from './judge.ts'
import type {
  JoinRequest,
  LinkLimits,
  LinkLog,
  PoolListener,
  ShownVoucher,
  WorkerIdentity,
  WorkerPayment,
} from './types.ts'

/** The registry by which workers are judged, besides the policy. */
export interface RegistryRules {
  /** What it says now. @throws an error whose message may be told, while nothing of it can be relied on */
  view(): RegistryView
  /** Whether clients may still be asked what this quote asks. Called only where {@link view} answers. */
  permits(quote: Quote): boolean
}

/** How the program around the pool decides about workers. */
export interface PoolOptions {
  /** What a worker's evidence has to meet. */
  policy: Policy
  /** Where the policy holds to a registry: what that says. */
  registry?: RegistryRules | undefined
  /** What this gateway brings along to judge accelerators: reference measurements, for one. */
  gpuTools?: GpuTools
  /** Names this gateway in challenges and sealed contexts. */
  gatewayId: string
  /** This gateway's own evidence over a worker's 32-byte nonce. */
  gatewayEvidence(nonce: Uint8Array): Promise<EvidenceBundle>
  /** Signs with the signingKey of that evidence's claims; 64 bytes. */
  gatewaySign(message: Uint8Array): Uint8Array
  /** Quotes for the models of a worker that are wanted at its prices; none refuses it. */
  quotesFor(worker: JoinRequest): readonly Quote[]
  /**
   * The channel that pays it, opened if need be: asked last, as this alone costs money.
   * @throws ChrysalisError `ERR_TREASURY_PAYOUT` for a worker that has to change something first, `ERR_TREASURY_LIMIT`
   *   for one that has to come again later
   */
  paymentFor(worker: JoinRequest): Promise<WorkerPayment>
  /**
   * Judges a voucher on the channel that pays a worker, which the worker shows because its welcome named a lower one.
   * @returns why nothing can be paid by that channel; undefined when the books know of so much by now
   */
  checkVoucher?(payment: WorkerPayment, shown: ShownVoucher): Promise<string | undefined>
  log: LinkLog
  clock?: Clock
  limits?: Partial<LinkLimits>
}

/** Runs few things at a time; the rest waits its turn. */
export interface Turnstile {
  run<T>(work: () => Promise<T>): Promise<T>
}

/** What a session needs of the pool; most of it has no use for the session's own type. */
export interface SessionHost<Session = unknown> extends Required<Omit<PoolOptions, 'limits' | 'registry'>> {
  readonly registry?: RegistryRules | undefined
  readonly limits: LinkLimits
  /** Evidence is judged two at a time, so that a crowd at the door does not hold up running streams. */
  readonly judging: Turnstile
  readonly listener: PoolListener | undefined
  /** What already speaks against a worker; asked before anything is spent on it. */
  objection(identity: WorkerIdentity): Refusal | undefined
  /** The last word before the welcome: registers the worker, or says why not. */
  admit(session: Session, identity: WorkerIdentity): Refusal | undefined
  /** Refuses this boot for a while. */
  bar(bootId: string): void
  onCapacity(): void
  onGone(session: Session, code: string): void
}
