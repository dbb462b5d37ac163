/**
 * Ids of paid requests. The n-th is a pseudo-random function of n under a key that follows from the voucher key: whoever
 * lacks that key cannot invent a request, and whoever has it recognises its own, also after losing everything else.
 */

import { createHmac, hkdfSync, type KeyObject } from 'node:crypto'
import type { Address } from '@ton/core'
import { paymentRequestId, seedOf } from '../../contracts/index.ts'

/** Characters of an id: 24 bytes in base64url. */
const ID_LENGTH = 32

/** The ids of one channel. */
export class RequestIds {
  readonly #key: Buffer
  readonly #channel: Address
  /** Ledger's id to n, for the first so many n from `#from` on. */
  readonly #known = new Map<string, number>()
  #from = 0

  /** @param voucherKey the private half of the channel's voucherKey */
  constructor(voucherKey: KeyObject, channel: Address) {
    const info = `chrysalis/sidecar-request-id/1\n${channel.toRawString()}`
    this.#key = Buffer.from(hkdfSync('sha256', seedOf(voucherKey), Buffer.alloc(0), info, 32))
    this.#channel = channel
  }

  /** The id that the n-th request is signed with. */
  id(n: number): string {
    const count = Buffer.alloc(8)
    count.writeBigUInt64BE(BigInt(n))
    return createHmac('sha256', this.#key).update(count).digest('base64url').slice(0, ID_LENGTH)
  }

  /** The id under which the gateway's ledger and the receipt know it. */
  ledgerId(n: number): string {
    return paymentRequestId(this.#channel, this.id(n))
  }

  /**
   * The n of a request that was made with this key, though nothing else is known of it. Each number that is tried costs
   * some ten microseconds once, as long as the ranges that are asked for begin at the same one.
   */
  find(ledgerId: string, { from, below }: { from: number; below: number }): number | undefined {
    if (from !== this.#from) {
      this.#known.clear()
      this.#from = from
    }
    for (let n = from + this.#known.size; n < below && !this.#known.has(ledgerId); n++)
      this.#known.set(this.ledgerId(n), n)
    return this.#known.get(ledgerId)
  }
}
