import type { CatalogModel } from './api/deps.ts'
import type { WorkerModel, WorkerPool } from './link/index.ts'

/** A model on one worker, with what clients pay there. */
type ServedModel = WorkerModel & Pick<CatalogModel, 'price' | 'tee'>

/** The models that verified workers serve now. */
export class Catalog {
  readonly #pool: Pick<WorkerPool, 'workers'>
  readonly #pinned: Readonly<Record<string, readonly string[]>>
  /** The digest that an id was last shown with. */
  readonly #shown = new Map<string, string>()
  readonly #since = new Map<string, number>()

  /** @param pinned digests of the models that policy expects, by id */
  constructor(pool: Pick<WorkerPool, 'workers'>, pinned: Readonly<Record<string, readonly string[]>> = {}) {
    this.#pool = pool
    this.#pinned = pinned
  }

  /**
   * One entry for each model that at least one attested worker takes work for. Where workers claim one id for
   * different weights or contexts it shows the weights that are pinned first, else those that were served first and
   * still are, and the context that most of their workers have: a stray worker changes no entry.
   */
  models(): CatalogModel[] {
    const served: ServedModel[] = []
    for (const worker of this.#pool.workers()) {
      if (!worker.attested || worker.state === 'draining') continue
      for (const { quote } of worker.quotes) {
        const { id, sha256 } = quote.model
        const model = worker.models.find((each) => each.id === id && each.sha256 === sha256)
        if (model) served.push({ ...model, price: quote.client, tee: worker.tee })
      }
    }
    return [...Map.groupBy(served, ({ id }) => id)].map(([id, models]) => this.#entry(id, models))
  }

  #entry(id: string, models: readonly ServedModel[]): CatalogModel {
    const digests = new Set(models.map(({ sha256 }) => sha256))
    const preferred = [...(this.#pinned[id] ?? []), this.#shown.get(id) ?? '']
    const sha256 = preferred.find((digest) => digests.has(digest)) ?? models[0]?.sha256 ?? ''
    this.#shown.set(id, sha256)
    const same = models.filter((model) => model.sha256 === sha256)
    const contextLength = commonest(same)
    const [first] = same.filter((model) => model.contextLength === contextLength)
    if (!first) throw new TypeError('a model that nobody serves')
    const tee = same.find((model) => model.tee !== 'tdx')?.tee ?? first.tee
    const { quantization, price, languages } = first
    return {
      id,
      sha256,
      contextLength,
      created: this.#firstSeen(id),
      quantization,
      ...(languages && { languages }),
      price,
      workers: same.length,
      tee,
    }
  }

  /**
   * Whether an absent model is one that was here, that is pinned, or that may be here soon because no worker has come
   * back yet since this gateway started.
   */
  mayReturn(id: string): boolean {
    return this.#since.size === 0 || this.#since.has(id) || Object.hasOwn(this.#pinned, id)
  }

  #firstSeen(id: string): number {
    const known = this.#since.get(id) ?? Math.floor(Date.now() / 1000)
    this.#since.set(id, known)
    return known
  }
}

/** The context length that most have; of several the one that came first. */
function commonest(models: readonly WorkerModel[]): number {
  const counts = new Map<number, number>()
  for (const { contextLength } of models) counts.set(contextLength, (counts.get(contextLength) ?? 0) + 1)
  let best = 0
  for (const [length, count] of counts) if (count > (counts.get(best) ?? 0)) best = length
  return best
}
