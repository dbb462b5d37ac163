import type { Prices, Quote } from '../worker/protocol/index.ts'
import type { JoinRequest } from './link/index.ts'

/**
 * Quotes for a worker's models: clients pay the gateway's prices, the worker gets what it asks. A model whose worker
 * asks more than clients pay is not wanted.
 *
 * @param own what this gateway asks, nanotons per million tokens
 * @param most the most that clients may be asked for these weights, where somebody says it
 */
export function quotesFor(
  worker: JoinRequest,
  own: Prices,
  most: (sha256: string) => Prices = () => own,
): Quote[] {
  const quotes: Quote[] = []
  for (const { id, sha256 } of worker.models) {
    const asked = worker.prices.find(({ model }) => model === id)?.prices
    const client = lower(own, most(sha256))
    if (!asked || !within(asked, client)) continue
    quotes.push({ v: 1, model: { id, sha256 }, client, worker: asked, step: '1' })
  }
  return quotes
}

const KINDS = ['prompt', 'cached', 'completion', 'reasoning'] as const

/** The lower price of each kind. */
function lower(one: Prices, other: Prices): Prices {
  const least = (kind: (typeof KINDS)[number]) =>
    BigInt(one[kind]) < BigInt(other[kind]) ? one[kind] : other[kind]
  const [prompt, cached, completion, reasoning] = [
    least('prompt'),
    least('cached'),
    least('completion'),
    least('reasoning'),
  ]
  return { prompt, cached, completion, reasoning }
}

/** Whether no kind of `asked` is above the ceiling. */
export function within(asked: Prices, ceiling: Prices): boolean {
  return KINDS.every((kind) => BigInt(asked[kind]) <= BigInt(ceiling[kind]))
}
