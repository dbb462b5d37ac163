import type { CatalogModel } from './api/deps.ts'
import type { WorkerPool } from './link/index.ts'

/** The models that verified workers serve now. */
export class Catalog {
  readonly #pool: Pick<WorkerPool, 'workers'>
  readonly #pinned: readonly string[]
  readonly #since = new Map<string, number>()

  /** @param pinned ids of the models that policy expects */
  constructor(pool: Pick<WorkerPool, 'workers'>, pinned: readonly string[]) {
    this.#pool = pool
    this.#pinned = pinned
  }

  /** One entry for each model that at least one attested worker takes work for. */
  models(): CatalogModel[] {
    const models = new Map<string, CatalogModel>()
    for (const worker of this.#pool.workers()) {
      if (!worker.attested || worker.state === 'draining') continue
      for (const { quote } of worker.quotes) {
        const model = worker.models.find(({ id }) => id === quote.model.id)
        if (!model || models.has(model.id)) continue
        const { id, sha256, contextLength } = model
        models.set(id, { id, sha256, contextLength, created: this.#firstSeen(id) })
      }
    }
    return [...models.values()]
  }

  /**
   * Whether an absent model is one that was here, that is pinned, or that may be here soon because no worker has come
   * back yet since this gateway started.
   */
  mayReturn(id: string): boolean {
    return this.#since.size === 0 || this.#since.has(id) || this.#pinned.includes(id)
  }

  #firstSeen(id: string): number {
    const known = this.#since.get(id) ?? Math.floor(Date.now() / 1000)
    this.#since.set(id, known)
    return known
  }
}
