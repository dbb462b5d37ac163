/**
 * The sidecar's books against the gateway's: every charge is proven by a receipt, every total explained by charges. What
 * does not add up stops the signing, and stays as evidence.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../attest/cli/process.ts'
import { demand, isUnknown, withheld } from './answers.ts'
import type { GatewayClient, Totals } from './client.ts'
import { SidecarError, type SidecarErrorCode } from './errors.ts'
import type { Invoice } from './invoice.ts'
import { Prover, type ProverOptions } from './prover.ts'
import { ReceiptList } from './receipt-list.ts'
import type { Signer } from './signer.ts'
import type { Halt, PaidRequest } from './state-file.ts'
import {
  adoptVoucher,
  isExplained,
  requireAgreement,
  requireExplained,
  requireNothingProven,
} from './totals.ts'

export interface AccountsOptions extends ProverOptions {
  signer: Signer
  client: GatewayClient
  /** The largest slice that was ever signed ahead on this channel: a ceiling vouches for what lies below it by more. */
  largestSlice: bigint
  /** Keeps evidence; gives the name of its file. */
  keep: (name: string, evidence: unknown) => Promise<string>
  /** Wall clock, ms. */
  now: () => number
  log: ProverOptions['log'] & { error(fields: object, message: string): void }
  /** Waits for so many ms; tests do not. */
  pause?: (ms: number) => Promise<unknown>
}

/**
 * How a request ended, as far as the sidecar saw: `billed` names its receipt and came whole, `cut` may have been
 * charged, `refused` should not have been.
 */
export type Ending = 'billed' | 'cut' | 'refused'

/** Waits between looks for a receipt, ms. A worker that is cancelled has five seconds to hand it in. */
const LOOKS_MS = [0, 100, 400, 1_000, 2_000, 4_000]

/** What a look for a receipt found: a charge that is proven now, the gateway's word that there is none, or no word. */
type Look = 'counted' | 'nothing' | 'silence'

/** Refusals after which the gateway's word is not relied on until a person has looked. */
const STOPS: readonly SidecarErrorCode[] = [
  'ERR_ROLLED_BACK',
  'ERR_CHARGES_DIFFER',
  'ERR_RECEIPT_WITHHELD',
  'ERR_RECEIPT_FOREIGN',
  'ERR_RECEIPT_REPEATED',
  'ERR_RECEIPT_REFUSED',
  'ERR_RECEIPT_SIGNER',
  'ERR_OVERCHARGED',
  'ERR_VOUCHER_INVENTED',
  'ERR_OTHER_SIGNER',
  'ERR_TERMS_DIFFER',
]

/** The books of one channel, and the looks that fill them. */
export class Accounts {
  readonly #options: AccountsOptions
  readonly #prover: Prover
  readonly #list: ReceiptList
  #walking: Promise<void> | undefined
  /** The gateway could not be asked about an ended request: its list will tell. */
  #late = false
  /** What runs beside requests: looks for receipts. */
  readonly #running = new Set<Promise<void>>()
  #ended = false
  #moved = Promise.withResolvers<void>()

  constructor(options: AccountsOptions) {
    this.#options = options
    this.#prover = new Prover(options)
    this.#list = new ReceiptList({ ...options, prover: this.#prover, onEntry: () => this.#move() })
  }

  /** Resolves when the next request is counted or found uncharged, or the signing stops. */
  get moved(): Promise<void> {
    return this.#moved.promise
  }

  /**
   * Compares what the gateway says of the channel with what is known here; goes through its list where that does not
   * explain it.
   *
   * @param verifiedBefore sum that was verified when the request went out: the gateway had shown receipts for it
   * @throws SidecarError after stopping
   */
  async compare(totals: Totals, verifiedBefore: bigint): Promise<void> {
    await this.#guard(async () => {
      requireAgreement(this.#options, totals, verifiedBefore)
      if (this.#late || !isExplained(this.#options.state, totals)) await this.walk()
    })
  }

  /**
   * Finds out what an ended request was charged. Never rejects: what does not add up has stopped the signing by then.
   */
  finish(request: PaidRequest, ending: Ending): Promise<void> {
    const running = this.#finish(request, ending)
    this.#running.add(running)
    return running.finally(() => this.#running.delete(running))
  }

  /** Resolves when everything that runs beside requests is done. */
  async quiet(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  /** Ends the looks for receipts; resolves when none is under way. What they would have found, the next start finds. */
  async idle(): Promise<void> {
    this.#ended = true
    await Promise.allSettled([this.#walking])
    await this.quiet()
  }

  async #finish(request: PaidRequest, ending: Ending): Promise<void> {
    const { log, state, pause = sleep } = this.#options
    try {
      await this.#guard(async () => {
        let seen: Look = 'silence'
        for (const wait of LOOKS_MS) {
          if (wait > 0 && !this.#ended) await pause(wait)
          if (this.#ended) return
          seen = await this.#look(request)
          if (seen === 'counted' || (seen === 'nothing' && ending === 'refused')) break
        }
        if (seen === 'silence') this.#late = true
        if (seen !== 'nothing') return
        if (ending === 'billed') throw withheld(request)
        state.void(request.requestId)
      })
    } catch (error) {
      log.warn({ requestId: request.requestId, code: codeOf(error) }, 'the charge of a request is not proven')
    } finally {
      this.#move()
    }
  }

  /**
   * After a start: adopts what the gateway holds, if it is signed with the channel's own key, and goes through its list.
   * @throws SidecarError after stopping, or ERR_GATEWAY when the gateway cannot be asked
   */
  async resume(): Promise<void> {
    await this.#guard(async () => {
      const { client, state, log } = this.#options
      const answer = await client.get(`/v1/channels/${state.address}`)
      if (isUnknown(answer)) return requireNothingProven(state)
      const { totals } = demand(answer)
      if (adoptVoucher(this.#options, totals)) {
        const ceiling = state.ceiling.toString()
        log.warn({ ceiling }, 'the state here was lost or is old: going on from the gateway’s voucher')
      }
      requireAgreement(this.#options, totals, answer.verifiedBefore)
      await this.walk()
    })
    for (const request of this.#options.state.open()) void this.finish(request, 'cut')
  }

  /**
   * Goes through the gateway's list of charges from where it was left, proves what is not proven, and holds the sum
   * against the gateway's total. One walk at a time.
   */
  walk(): Promise<void> {
    this.#walking ??= this.#walk().finally(() => {
      this.#walking = undefined
    })
    return this.#walking
  }

  /** Stops the signing for good reason, with the evidence kept. */
  stop(error: SidecarError): Promise<void> {
    const stopping = this.#stop(error)
    this.#running.add(stopping)
    return stopping.finally(() => this.#running.delete(stopping))
  }

  async #stop(error: SidecarError): Promise<void> {
    const { state, keep, now, log } = this.#options
    if (state.halted) return
    const halt: Halt = { code: error.code, message: error.message, at: now() }
    // First of all: a disk that is full must not keep it from stopping.
    state.setHalt(halt)
    this.#move()
    try {
      const open = state.open().map(({ requestId, cap }) => ({ requestId, cap: cap.toString() }))
      const evidence = await keep(error.code.toLowerCase(), {
        ...halt,
        channel: state.address,
        ...{ ceiling: state.ceiling.toString(), signature: Buffer.from(state.signature).toString('base64') },
        ...{ verified: state.verified.toString(), open, evidence: error.evidence },
      })
      state.setHalt({ ...halt, evidence })
    } catch (cause) {
      log.warn({ code: codeOf(cause) }, 'the evidence could not be kept')
    }
    log.error({ code: error.code }, error.message)
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof SidecarError && STOPS.includes(error.code)) await this.stop(error)
      throw error
    }
  }

  #move(): void {
    this.#moved.resolve()
    this.#moved = Promise.withResolvers<void>()
  }

  async #look(request: PaidRequest): Promise<Look> {
    const { client, state } = this.#options
    const { requestId } = request
    const answer = await client.get(`/v1/receipts/${requestId}`).catch((error: unknown) => {
      if (error instanceof SidecarError && error.code === 'ERR_GATEWAY') return undefined
      throw error
    })
    if (state.request(requestId)?.state === 'charged') return 'counted'
    if (answer?.totals) requireAgreement(this.#options, answer.totals, answer.verifiedBefore)
    if (answer?.status === 404) return 'nothing'
    if (answer?.status !== 200) return 'silence'
    await this.#prover.count(request, answer.json as Invoice)
    return 'counted'
  }

  async #walk(): Promise<void> {
    const { state } = this.#options
    const { totals, verifiedBefore } = await this.#list.read()
    this.#late = false
    if (state.behind) state.setBehind(false)
    requireAgreement(this.#options, totals, verifiedBefore)
    requireExplained(state, totals)
  }
}
