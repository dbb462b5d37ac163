/** Collateral from Intel's PCS v4 or from a PCCS, over HTTP. Web standards only, so that a browser could use it. */

import type { Collateral } from '../tdx/collateral.ts'
import { MAX_CRL } from '../x509/index.ts'
import { baseOf, checkedUrl, type Endpoint } from './address.ts'
import { type CacheOptions, CollateralCache, type Fetched } from './cache.ts'
import { checkCollateral, checkPlatform, requireInDate } from './check.ts'
import { cutSigned } from './cut.ts'
import { CollateralError } from './errors.ts'
import { type Answer, type Fetch, get } from './http.ts'
import { asText, chainFromHeader, crlHex } from './parts.ts'
import { rootCrlUrl } from './root-crl.ts'
import { type CollateralSource, type PinnedRoot, type Subject, subjectOf } from './source.ts'

export interface PcsOptions {
  /**
   * Intel's PCS (`INTEL_PCS`) or a PCCS; a path to `/sgx/certification/v4/` at its end is allowed. It must be https,
   * except on loopback and on `plainHosts`.
   */
  baseUrl: string
  /** Wall clock, ms. */
  now: () => number
  /** The policy's roots: then quotes are asked for only, and answers taken only, that are signed under one of them. */
  roots?: readonly PinnedRoot[]
  /** Which of Intel's two current TCB recoveries to ask for: `early` demands newer updates sooner. Default `standard`. */
  update?: 'standard' | 'early'
  /** Default `globalThis.fetch`. Give one that trusts the certificate of your PCCS, if that signed its own. */
  fetch?: Fetch
  /** Makes the signal that ends the requests for one quote after so many ms. Default `AbortSignal.timeout`. */
  timeout?: (ms: number) => AbortSignal
  /** How long all requests for one quote may take together, ms. Default 20,000. */
  timeoutMs?: number
  /** Ends every request, for a process that stops. */
  signal?: AbortSignal
  /** Hosts (as in a URL, with the port if any) that plain http is allowed to, besides loopback. */
  plainHosts?: readonly string[]
  /** Where the root CA's list is, if neither the PCCS nor Intel's distribution point is to be asked. */
  rootCrlUrl?: string
  /** How answers are kept; in memory alone by default. `false` asks anew each time. */
  cache?: CacheOptions | false
}

/** The largest JSON document taken, bytes. */
const MAX_DOCUMENT = 128 * 1024
/** Hexadecimal or PEM and white space at the most. */
const MAX_LIST = 2 * MAX_CRL + 1024

/**
 * A source that asks a PCS or a PCCS. Throws CollateralError `ERR_COLLATERAL_URL` for a base URL that is not allowed.
 * What it hands out has been parsed, is for the quote's platform, in date and signed under one root.
 */
export function collateralFromPcs(options: PcsOptions): CollateralSource {
  const endpoint = baseOf(options.baseUrl, options.plainHosts ?? [])
  const client = new PcsClient(endpoint, options)
  const name = options.update === 'early' ? `${endpoint.base} (early)` : endpoint.base
  const cache = options.cache === false ? undefined : new CollateralCache(name, client, options)
  const obtain: CollateralSource['obtain'] = async (quote) => {
    const subject = subjectOf(quote)
    if (options.roots !== undefined) await checkPlatform(quote, options.roots)
    if (cache !== undefined) return cache.obtain(subject)
    const { collateral } = await client.fetch(subject)
    return { collateral, source: name, fetchedAt: options.now() }
  }
  return { obtain, collateral: async (quote) => (await obtain(quote)).collateral }
}

class PcsClient {
  readonly #endpoint: Endpoint
  readonly #options: PcsOptions
  readonly #rootCrlUrl: URL | undefined

  constructor(endpoint: Endpoint, options: PcsOptions) {
    this.#endpoint = endpoint
    this.#options = options
    const { rootCrlUrl, plainHosts = [] } = options
    this.#rootCrlUrl = rootCrlUrl === undefined ? undefined : checkedUrl(rootCrlUrl, plainHosts)
  }

  /** Collateral for this platform, checked. Throws CollateralError. */
  async fetch(subject: Subject): Promise<Fetched> {
    const collateral = await this.#ask(subject)
    const validity = await this.check(collateral, subject)
    requireInDate(validity, this.#options.now(), this.#endpoint.base)
    return { collateral, validity }
  }

  async check(collateral: Collateral, subject: Subject): Promise<Fetched['validity']> {
    return checkCollateral(collateral, subject, this.#options.roots)
  }

  async #ask(subject: Subject): Promise<Collateral> {
    const { signal, timeout = AbortSignal.timeout.bind(AbortSignal), timeoutMs = 20_000 } = this.#options
    const giveUp = new AbortController()
    const signals = [giveUp.signal, timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]
    const request = new PcsRequest(this.#endpoint, this.#options, AbortSignal.any(signals))
    try {
      const [pckCrl, tcb, qe] = await Promise.all([
        request.pckCrl(subject.ca),
        request.tcbInfo(subject.fmspc),
        request.qeIdentity(),
      ])
      const root_ca_crl = await request.rootCrl(this.#rootCrlUrl, tcb.tcb_info_issuer_chain)
      return { ...pckCrl, root_ca_crl, ...tcb, ...qe }
    } finally {
      // What one failure left running has no use.
      giveUp.abort()
    }
  }
}

/** The requests for one quote: they share a deadline. */
class PcsRequest {
  readonly #endpoint: Endpoint
  readonly #fetch: Fetch
  readonly #update: string
  readonly #signal: AbortSignal

  constructor(endpoint: Endpoint, options: PcsOptions, signal: AbortSignal) {
    this.#endpoint = endpoint
    this.#fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init))
    this.#update = options.update === 'early' ? 'update=early' : ''
    this.#signal = signal
  }

  async pckCrl(ca: Subject['ca']): Promise<Pick<Collateral, 'pck_crl' | 'pck_crl_issuer_chain'>> {
    const answer = await this.#get(`/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`, MAX_LIST)
    return {
      pck_crl_issuer_chain: chainIn(answer, 'SGX-PCK-CRL-Issuer-Chain'),
      pck_crl: crlHex(answer.body, 'PCK CRL'),
    }
  }

  async tcbInfo(
    fmspc: string,
  ): Promise<Pick<Collateral, 'tcb_info' | 'tcb_info_signature' | 'tcb_info_issuer_chain'>> {
    const query = [`fmspc=${fmspc}`, this.#update].filter((part) => part !== '').join('&')
    const answer = await this.#get(`/tdx/certification/v4/tcb?${query}`, MAX_DOCUMENT)
    const { text, signature } = cutSigned(asText(answer.body, 'TCB info'), 'tcbInfo', 'TCB info')
    // The second is what version 3 of the interface called it, and what some caches still send.
    const chain = chainIn(answer, 'TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain')
    return { tcb_info: text, tcb_info_signature: signature, tcb_info_issuer_chain: chain }
  }

  async qeIdentity(): Promise<
    Pick<Collateral, 'qe_identity' | 'qe_identity_signature' | 'qe_identity_issuer_chain'>
  > {
    const query = this.#update === '' ? '' : `?${this.#update}`
    const answer = await this.#get(`/tdx/certification/v4/qe/identity${query}`, MAX_DOCUMENT)
    const { text, signature } = cutSigned(
      asText(answer.body, 'QE identity'),
      'enclaveIdentity',
      'QE identity',
    )
    const chain = chainIn(answer, 'SGX-Enclave-Identity-Issuer-Chain')
    return { qe_identity: text, qe_identity_signature: signature, qe_identity_issuer_chain: chain }
  }

  /** A PCCS keeps the root CA's list itself; Intel's PCS leaves it to the distribution point. */
  async rootCrl(url: URL | undefined, chain: string): Promise<string> {
    if (url !== undefined) return this.#list(url)
    if (this.#endpoint.kind === 'pcs') return this.#list(rootCrlUrl(chain))
    try {
      return await this.#list(this.#url('/sgx/certification/v4/rootcacrl'))
    } catch (error) {
      if (!(error instanceof CollateralError) || error.code !== 'ERR_COLLATERAL_NOT_FOUND') throw error
      return this.#list(rootCrlUrl(chain))
    }
  }

  async #list(url: URL): Promise<string> {
    const { body } = await get(url, { fetch: this.#fetch, signal: this.#signal, maxBytes: MAX_LIST })
    return crlHex(body, 'root CA CRL')
  }

  #get(path: string, maxBytes: number): Promise<Answer> {
    return get(this.#url(path), { fetch: this.#fetch, signal: this.#signal, maxBytes })
  }

  #url(path: string): URL {
    return new URL(`${this.#endpoint.base}${path}`)
  }
}

/** The chain in the first of these headers that is there; names of headers have no case. */
function chainIn({ headers }: Answer, ...names: readonly [string, ...string[]]): string {
  for (const name of names) {
    const value = headers.get(name)
    if (value !== null) return chainFromHeader(value, `header ${name}`)
  }
  throw new CollateralError(
    'ERR_COLLATERAL_ANSWER',
    `there is no header ${names[0]}: is this a PCS or a PCCS?`,
  )
}
