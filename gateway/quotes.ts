import type { Prices, Quote } from '../worker/protocol/index.ts'
import type { JoinRequest } from './link/index.ts'

/**
 * Quotes for a worker's models: clients pay the gateway's prices, the worker gets what it asks. A model whose worker
 * asks more than clients pay is not wanted.
 *
 * @param client nanotons per million tokens
 */
export function quotesFor(worker: JoinRequest, client: Prices): Quote[] {
  const quotes: Quote[] = []
  for (const { id, sha256 } of worker.models) {
    const asked = worker.prices.find(({ model }) => model === id)?.prices
    if (!asked || !within(asked, client)) continue
    quotes.push({ v: 1, model: { id, sha256 }, client, worker: asked, step: '1' })
  }
  return quotes
}

function within(asked: Prices, ceiling: Prices): boolean {
  const kinds = ['prompt', 'cached', 'completion', 'reasoning'] as const
  return kinds.every((kind) => BigInt(asked[kind]) <= BigInt(ceiling[kind]))
}
