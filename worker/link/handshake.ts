import { randomBytes } from 'node:crypto'
import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import type { RegistrySubject } from '../../attest/evidence/index.ts'
import type { Policy, RegistryView } from '../../attest/policy/index.ts'
import type { Clock } from '../clock.ts'
import type { Account, Earnings } from '../earnings/index.ts'
import type { Offer, ServeTerms, Worker } from '../enclave/index.ts'
import {
  type GatewayMessageOf,
  joinMessage,
  LINK_LIMITS,
  LINK_VERSIONS,
  LinkError,
  negotiate,
  parseGatewayMessage,
  peekVersions,
  type VersionRange,
  type WorkerMessageOf,
} from '../protocol/index.ts'
import { checkWelcome, type Said } from './welcome.ts'

/** What this worker joins with, and what it holds a gateway to. */
export interface HandshakeOptions {
  worker: Worker
  earnings: Earnings
  /** What a gateway's evidence has to meet. */
  policy: Policy
  /** Where the policy holds to a registry: what that says now. @throws ContractsError while nothing can be relied on */
  registry?: (() => RegistryView) | undefined
  offers: readonly Offer[]
  clock: Clock
  /** Replaced by tests. */
  versions?: VersionRange
}

/** A gateway that passed every check, and what its requests stand on. */
export interface Joined {
  readonly bootId: string
  readonly terms: ServeTerms
  /** To be closed with the link. */
  readonly account: Account
  /** What a registry can be asked again. */
  readonly subject: RegistrySubject | undefined
}

/** A challenge that can be answered. */
export interface Challenge {
  readonly message: GatewayMessageOf<'challenge'>
  /** The version that both sides speak. */
  readonly version: number
}

/** The way into a link: the gateway's challenge, our join, and the judgement of its welcome. */
export class Handshake {
  readonly versions: VersionRange
  readonly #options: HandshakeOptions
  readonly #nonce = new Uint8Array(randomBytes(32))
  /** From our join until the welcome is judged. */
  #said: Said | undefined

  constructor(options: HandshakeOptions) {
    this.versions = options.versions ?? LINK_VERSIONS
    this.#options = options
  }

  /**
   * Reads the first message.
   * @returns the gateway's versions alone when they do not meet ours
   * @throws LinkError when it is anything but a challenge
   */
  read(text: string): Challenge | { readonly theirs: VersionRange } {
    const theirs = peekVersions(text)
    if (theirs === undefined) throw new LinkError('malformed_message', 'the first message is not a challenge')
    const version = negotiate(this.versions, theirs)
    if (version === undefined) return { theirs }
    const message = parseGatewayMessage(text)
    if (message.type !== 'challenge')
      throw new LinkError('unexpected_message', 'the first message is not a challenge')
    return { message, version }
  }

  /** Our join: fresh evidence over the challenge, signed together with our nonce. @throws what the TEE throws */
  async join({ message, version }: Challenge): Promise<{ join: WorkerMessageOf<'join'>; epochId: string }> {
    const { worker, offers, earnings } = this.#options
    const challengeNonce = fromBase64(message.nonce)
    const { bundle, claimsDigest, epochId } = await worker.evidence(challengeNonce)
    const { payoutKey } = earnings
    const signed = joinMessage({ challengeNonce, workerNonce: this.#nonce, claimsDigest, payoutKey })
    const join: WorkerMessageOf<'join'> = {
      type: 'join',
      version,
      versions: this.versions,
      nonce: toBase64(this.#nonce),
      evidence: { ...bundle },
      signature: toBase64(worker.sign(signed)),
      prices: offers.map(({ model, prices }) => ({ model, prices })),
      capacity: { slots: Math.min(worker.slots, LINK_LIMITS.maxStreams) },
      ...(payoutKey !== undefined && { payoutKey }),
    }
    this.#said = { challenge: message, join }
    return { join, epochId }
  }

  /**
   * Judges the welcome: who the gateway is, what it quotes, and the channel that pays; once.
   * @throws GatewayRefused, EarningsError, ContractsError, LinkError
   */
  async judge(welcome: GatewayMessageOf<'welcome'>): Promise<Joined> {
    const { worker, policy, registry, clock, offers, earnings } = this.#options
    const said = this.#said
    if (!said) throw new LinkError('unexpected_message', 'a welcome before the join')
    this.#said = undefined
    const { gatewayId } = said.challenge
    const { model } = worker
    const gateway = await checkWelcome(welcome, { policy, registry, now: clock.now, ...said, model, offers })
    const account = await earnings.account(gatewayId, welcome.payment)
    const terms: ServeTerms = {
      gatewayId,
      gatewayKey: gateway.signingKey,
      quotes: gateway.quotes,
      creditworthy: () => account.creditworthy,
      keep: (receipt) => account.keep(receipt),
    }
    return { bootId: gateway.bootId, terms, account, subject: gateway.subject }
  }
}
