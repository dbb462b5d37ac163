/** Answers the revocation questions that a simulated evidence raises, and remembers them for a day. */

import type { KeyObject } from 'node:crypto'
import { toHex } from '../bytes.ts'
import { type IssuedPair, issuedPairs } from '../gpu/ocsp.ts'
import { parseCertificate } from '../x509/index.ts'
import { newGpuKey } from './gpu-certificates.ts'
import type { GpuForgery } from './gpu-forgeries.ts'
import { makeOcspResponse, type OcspSpec } from './gpu-ocsp.ts'
import { Renewed } from './renewal.ts'

const HOUR = 3_600_000
const LIFETIME = 7 * 24 * HOUR
const RENEWAL = 24 * HOUR

type Chains = readonly (readonly Uint8Array[])[]

interface OcspQuestion {
  /** DER, leaf first. */
  deviceChains: Chains
  rimChains: Chains
  forgery: GpuForgery | undefined
}

export class OcspDesk {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #now: () => number
  readonly #known = new Map<string, Renewed<Uint8Array>>()

  /** @param keys private keys of CAs, by their certificate in hex */
  constructor(keys: ReadonlyMap<string, KeyObject>, now: () => number) {
    this.#keys = keys
    this.#now = now
  }

  /** An answer for each certificate that a CA of this installation issued; the forgery spoils the last one. */
  async answers({ deviceChains, rimChains, forgery }: OcspQuestion): Promise<Uint8Array[]> {
    const parse = (chains: Chains) =>
      chains.map((chain) => chain.map((bytes) => parseCertificate(bytes, 'P-384')))
    const onHold = forgery === 'ocsp-hold'
    const pairs = issuedPairs({ deviceChains: parse(deviceChains), rimChains: parse(rimChains) })
    // The last pair is of a RIM signer, the first of a device: its boot ROM.
    const spoiled = forgery?.startsWith('ocsp-') ? (onHold ? pairs[0] : pairs.at(-1)) : undefined
    return pairs.flatMap((pair) => {
      const key = this.#keys.get(toHex(pair.issuer.der))
      if (key === undefined) return []
      return [pair === spoiled ? this.#forged(pair, key, forgery) : this.#answer(pair, key)]
    })
  }

  #answer(pair: IssuedPair, key: KeyObject): Uint8Array {
    const name = toHex(pair.certificate.der)
    const known = this.#known.get(name) ?? new Renewed<Uint8Array>(RENEWAL)
    this.#known.set(name, known)
    return known.get(this.#now(), () => makeOcspResponse({ pairs: [pair], ...this.#dates() }, { key }))
  }

  #forged(pair: IssuedPair, key: KeyObject, forgery: GpuForgery | undefined): Uint8Array {
    const spec: OcspSpec = { pairs: [pair], ...this.#dates() }
    if (forgery === 'ocsp-revoked') return makeOcspResponse({ ...spec, status: 'revoked' }, { key })
    if (forgery === 'ocsp-hold') return makeOcspResponse({ ...spec, status: 'hold' }, { key })
    if (forgery === 'ocsp-unknown') return makeOcspResponse({ ...spec, status: 'unknown' }, { key })
    if (forgery === 'ocsp-forged') return makeOcspResponse(spec, { key: newGpuKey() })
    const now = this.#now()
    return makeOcspResponse({ ...spec, thisUpdate: now - LIFETIME, nextUpdate: now - HOUR }, { key })
  }

  #dates(): { thisUpdate: number; nextUpdate: number } {
    const now = this.#now()
    return { thisUpdate: now - HOUR, nextUpdate: now + LIFETIME }
  }
}
