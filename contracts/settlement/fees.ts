import type { FeePrices } from '../chain/prices.ts'
import type { Chain } from '../chain/types.ts'
import { settleCost } from './cost.ts'

/** Fee parameters change by a vote of validators, so that looking every ten minutes is often enough. */
const KEEP_MS = 600_000

/** What settling costs by the fee parameters of the chain, which are read again every ten minutes. */
export class LiveFees {
  readonly #chain: Pick<Chain, 'prices'>
  readonly #monotonic: () => number
  #prices: { value: FeePrices; until: number } | undefined

  /** @param monotonic milliseconds that only grow */
  constructor(chain: Pick<Chain, 'prices'>, monotonic: () => number) {
    this.#chain = chain
    this.#monotonic = monotonic
  }

  /**
   * What one settle by itself costs now, see {@link settleCost}.
   *
   * @returns nanotons
   * @throws ContractsError when the chain does not say: nobody knows what its fees are by now
   */
  async settleCost(): Promise<bigint> {
    const now = this.#monotonic()
    if (!this.#prices || this.#prices.until <= now) {
      this.#prices = { value: await this.#chain.prices(), until: now + KEEP_MS }
    }
    return settleCost(this.#prices.value, 1)
  }
}
