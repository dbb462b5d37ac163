/** What one request may cost: by its length, by the price ceiling, by what a person allows. */

import { z } from 'zod'
import { least } from '../../contracts/index.ts'
import {
  ApiError,
  boundFor,
  clip,
  isSealedPath,
  PATHS,
  type Prices,
  parseJsonObject,
  pricesSchema,
  type RequestBounds,
} from '../../worker/protocol/index.ts'
import type { GatewayClient } from './client.ts'
import { SidecarError } from './errors.ts'

/** Context of a model of which nothing is known, in tokens: more than any has. */
const ANY_CONTEXT = 2 ** 40
/** Charges are rounded up to a step that only the quote names: a bound leaves room for it. Nanotons. */
const STEP = '1000'
/** How long what the gateway says of a model is believed, ms. */
const BELIEVE_MS = 60_000
const MOST_MODELS = 256

const modelSchema = z.object({
  chrysalis: z.object({ context_length: z.int().positive(), price: z.object(pricesSchema.shape) }),
})

interface Listing {
  contextLength: number
  price: Prices
  until: number
}

/** What one request may cost. */
export interface Budget {
  /** Most that it may cost, nanotons. */
  cap: bigint
  /** What its body can cost in tokens; undefined where that cannot be told, as for one that the gateway will refuse. */
  bounds: RequestBounds | undefined
}

export interface BudgetsOptions {
  client: GatewayClient
  /** Most that may be asked for, nanotons per million tokens. */
  prices: Prices
  /** Nanotons. */
  perRequest: bigint
}

/** What requests may cost, by the bodies and by what the gateway lists of its models. */
export class Budgets {
  readonly #options: BudgetsOptions
  readonly #models = new Map<string, Listing>()

  constructor(options: BudgetsOptions) {
    this.#options = options
  }

  /**
   * What a request may cost.
   * @throws ApiError 402 for a model whose price is above the ceiling
   */
  async of(path: string, body: Uint8Array): Promise<Budget> {
    const { prices, perRequest } = this.#options
    const admitted = admit(path, body)
    if (!admitted) return { cap: perRequest, bounds: undefined }
    const { model } = admitted
    const listing = await this.#listing(model)
    if (listing) demandPrice(model, listing.price, prices)
    const bounds = admitted.bounds(listing?.contextLength ?? ANY_CONTEXT)
    const quote = { v: 1, model: { id: '', sha256: '' }, client: prices, worker: prices, step: STEP } as const
    const bound = boundFor(quote, bounds.maxPromptTokens, bounds.maxOutputTokens, bounds.n)
    return { cap: least(bound, perRequest), bounds }
  }

  /** What the gateway lists. It may lie; then the quote that the enclave signs tells. */
  async #listing(model: string): Promise<Listing | undefined> {
    const known = this.#models.get(model)
    if (known && performance.now() < known.until) return known
    const { status, json } = await this.#options.client.get(`/v1/models/${encodeURIComponent(model)}`)
    const parsed = modelSchema.safeParse(json)
    if (status !== 200 || !parsed.success) return undefined
    const { context_length: contextLength, price } = parsed.data.chrysalis
    const listing = { contextLength, price, until: performance.now() + BELIEVE_MS }
    const [oldest] = this.#models.keys()
    if (oldest !== undefined && this.#models.size >= MOST_MODELS) this.#models.delete(oldest)
    this.#models.set(model, listing)
    return listing
  }
}

function admit(path: string, body: Uint8Array) {
  const [route = ''] = path.split('?', 1)
  if (!isSealedPath(route)) return undefined
  try {
    return PATHS[route](parseJsonObject(body))
  } catch (error) {
    // What is wrong with it, the gateway says.
    if (error instanceof ApiError) return undefined
    throw error
  }
}

/** The kinds of tokens whose price is above the ceiling. */
export function dearer(price: Prices, ceiling: Prices): (keyof Prices)[] {
  const kinds = ['prompt', 'cached', 'completion', 'reasoning'] as const
  return kinds.filter((kind) => BigInt(price[kind]) > BigInt(ceiling[kind]))
}

function demandPrice(model: string, price: Prices, ceiling: Prices): void {
  const [kind] = dearer(price, ceiling)
  if (!kind) return
  const text = `${clip(model)} costs ${price[kind]} nanotons per million ${kind} tokens, and the sidecar pays ${ceiling[kind]} at most`
  throw new ApiError({
    status: 402,
    type: 'insufficient_quota',
    apiCode: 'price_above_ceiling',
    message: `${text}. Choose another model, or start the sidecar with a higher --max-price-prompt or --max-price-completion.`,
    headers: { 'x-should-retry': 'false' },
    cause: new SidecarError('ERR_OVERCHARGED', text),
  })
}
