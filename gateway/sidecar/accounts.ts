/**
 * The sidecar's books against the gateway's: every charge is proven by a receipt, every total explained by charges. What
 * does not add up stops the signing, and stays as evidence.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../attest/cli/process.ts'
import { demand, invented, isUnknown, PAGE, pageOf, withheld } from './answers.ts'
import type { GatewayClient, Totals } from './client.ts'
import { SidecarError, type SidecarErrorCode } from './errors.ts'
import { type Invoice, readAmount } from './invoice.ts'
import { Prover, type ProverOptions } from './prover.ts'
import type { Signer } from './signer.ts'
import { BLOCK, type Halt, type PaidRequest, SKIP } from './state.ts'

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

/** Requests whose charge nobody can explain after a loss of the state: how many numbers are tried to find them. */
const RECOGNISE = 1 << 14

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
      this.#compareAtOnce(totals, verifiedBefore)
      if (this.#late || !this.#explains(totals)) await this.walk()
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
      const { client, state } = this.#options
      const answer = await client.get(`/v1/channels/${state.address}`)
      if (isUnknown(answer)) return this.#unknown()
      const { totals } = demand(answer)
      this.#adopt(totals)
      this.#compareAtOnce(totals, answer.verifiedBefore)
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

  /** The gateway has never heard of the channel, or wants to be told of it again. */
  #unknown(): void {
    const { verified } = this.#options.state
    if (verified === 0n) return
    throw new SidecarError(
      'ERR_ROLLED_BACK',
      `the gateway no longer knows the channel, though it showed receipts for ${verified} nanotons: its books went back`,
    )
  }

  /** Takes over a higher voucher of one's own. */
  #adopt({ voucher }: Totals): void {
    const { state, signer, log } = this.#options
    const ceiling = BigInt(voucher?.signedMaxClaimable ?? 0)
    if (!voucher || ceiling <= state.ceiling) return
    const signature = Buffer.from(voucher.signature, 'base64')
    if (!signer.isOwn({ ceiling, signature })) throw invented(voucher)
    log.warn(
      { ceiling: ceiling.toString() },
      'the state here was lost or is old: going on from the gateway’s voucher',
    )
    state.setBehind(true)
    state.raise(ceiling, signature)
  }

  #compareAtOnce({ channel, voucher }: Totals, verifiedBefore: bigint): void {
    const { state, signer } = this.#options
    const refuse = (code: SidecarErrorCode, message: string) =>
      new SidecarError(code, message, { evidence: { totals: { channel, voucher } } })
    if (channel.channelId !== state.address)
      throw refuse('ERR_TERMS_DIFFER', `the gateway speaks of another channel, ${channel.channelId}`)
    if (voucher) {
      const ceiling = BigInt(voucher.signedMaxClaimable)
      const own =
        ceiling === 0n || signer.isOwn({ ceiling, signature: Buffer.from(voucher.signature, 'base64') })
      if (!own) throw invented(voucher)
      if (ceiling > state.ceiling) {
        throw refuse(
          'ERR_OTHER_SIGNER',
          `the gateway holds a voucher for ${ceiling} nanotons, and ${state.ceiling} is the highest that was signed here: another program signs with this key`,
        )
      }
    }
    const charged = BigInt(channel.chargedCumulativeAmount)
    if (charged < verifiedBefore) {
      throw refuse(
        'ERR_ROLLED_BACK',
        `the gateway counts ${charged} nanotons, and had shown receipts for ${verifiedBefore}: its books went back`,
      )
    }
    const claimed = BigInt(channel.totalClaimed)
    if (claimed > charged)
      throw refuse('ERR_CHARGES_DIFFER', `${claimed} nanotons were taken on chain, and ${charged} charged`)
    state.setDeposited(BigInt(channel.balance))
  }

  #explains({ channel }: Totals): boolean {
    const { state } = this.#options
    return BigInt(channel.chargedCumulativeAmount) <= state.verified + state.openCaps
  }

  async #look(request: PaidRequest): Promise<Look> {
    const { client, state } = this.#options
    const { requestId } = request
    const answer = await client.get(`/v1/receipts/${requestId}`).catch((error: unknown) => {
      if (error instanceof SidecarError && error.code === 'ERR_GATEWAY') return undefined
      throw error
    })
    if (state.request(requestId)?.state === 'charged') return 'counted'
    if (answer?.totals) this.#compareAtOnce(answer.totals, answer.verifiedBefore)
    if (answer?.status === 404) return 'nothing'
    if (answer?.status !== 200) return 'silence'
    await this.#prover.count(request, answer.json as Invoice)
    return 'counted'
  }

  async #walk(): Promise<void> {
    const { client, state } = this.#options
    for (;;) {
      const { after } = state.cursor
      const query = `limit=${PAGE}${after && `&after=${after}`}`
      const answer = demand(await client.get(`/v1/channels/${state.address}/receipts?${query}`))
      const { data, more } = pageOf(answer)
      for (const invoice of data) await this.#enter(invoice)
      if (more && data.length > 0) continue
      this.#late = false
      if (state.behind) state.setBehind(false)
      this.#compareAtOnce(answer.totals, answer.verifiedBefore)
      return this.#closeWalk(answer.totals)
    }
  }

  /** Everything is listed but what still runs. */
  #closeWalk(totals: Totals): void {
    const { state } = this.#options
    const charged = BigInt(totals.channel.chargedCumulativeAmount)
    const most = state.cursor.total + state.openCaps
    if (charged <= most || charged <= state.verified + state.openCaps) return
    throw new SidecarError(
      'ERR_CHARGES_DIFFER',
      `the gateway counts ${charged} nanotons; its receipts and the requests that run explain ${most} at most`,
      { evidence: { totals } },
    )
  }

  /** One entry of the list; gives the sum with it. */
  async #enter(invoice: Invoice): Promise<void> {
    const { state, largestSlice } = this.#options
    const refuse = (code: SidecarErrorCode, message: string) =>
      new SidecarError(code, message, { evidence: { invoice } })
    const id = String(invoice.id).slice(0, 64)
    const request = state.request(id) ?? this.#recognise(id)
    if (!request)
      throw refuse('ERR_RECEIPT_FOREIGN', `receipt ${id} is for a request that was never made here`)
    const charged = readAmount(invoice.charged)
    if (charged === undefined) throw refuse('ERR_RECEIPT_REFUSED', `receipt ${id}: the charge is no amount`)
    const total = state.cursor.total + charged
    if (request.state === 'charged') {
      if (request.charged !== charged) {
        const text = `receipt ${id}: listed at ${charged} nanotons, proven at ${request.charged}`
        throw refuse('ERR_CHARGES_DIFFER', text)
      }
    } else if (state.behind && total <= state.ceiling - largestSlice) {
      // What lies below a voucher of one's own by a slice or more was verified before that voucher was signed.
      state.count(id, charged, '')
    } else await this.#prover.count(request, invoice)
    if (!state.list(id, { after: id, total }))
      throw refuse('ERR_RECEIPT_REPEATED', `receipt ${id} is listed twice`)
    this.#move()
  }

  /** A request that was made with this key, though the state here does not know it. */
  #recognise(requestId: string): PaidRequest | undefined {
    const { state, signer, now } = this.#options
    const { behind, reserved } = state
    // Without a loss all that may be missing is what a power cut took: the last ones.
    const range = behind
      ? { from: 0, below: reserved + RECOGNISE }
      : { from: Math.max(0, reserved - 4 * BLOCK), below: reserved }
    const n = signer.ids.find(requestId, range)
    if (n === undefined) return undefined
    if (behind && n + SKIP > reserved) state.skipTo(n + SKIP)
    const cap = state.ceiling
    return state.begin({ n, requestId, path: '', cap, at: now() })
  }
}
