import type { CatalogModel } from './deps.ts'

export interface ModelNamesOptions {
  /** Other names of models, by the name that a client writes. */
  aliases?: Readonly<Record<string, string>> | undefined
  /** The model of a request that names none. */
  defaultModel?: string | undefined
}

/**
 * The names by which clients may ask for models besides the real ones. A program that is bound to somebody else's
 * names works without a change; what answers says its real name.
 */
export class ModelNames {
  readonly #aliases: ReadonlyMap<string, string>
  readonly #default: string | undefined

  constructor({ aliases = {}, defaultModel }: ModelNamesOptions = {}) {
    this.#aliases = new Map(Object.entries(aliases))
    this.#default = defaultModel
  }

  /** The real name behind a name; the default for none; a name without an alias is itself. */
  resolve(name: string | null | undefined): string | undefined {
    if (name === undefined || name === null) return this.#default
    return this.#aliases.get(name) ?? name
  }

  /** The aliases of a model, in the order in which they were given. */
  of(id: string): string[] {
    return [...this.#aliases].filter(([, target]) => target === id).map(([alias]) => alias)
  }

  /** The model of that name or alias. */
  find<M extends Pick<CatalogModel, 'id'>>(models: readonly M[], name: string): M | undefined {
    const id = this.resolve(name)
    return models.find((model) => model.id === id)
  }

  /**
   * The request with the real name of its model.
   *
   * @returns the same object when nothing is to be changed: then its bytes are sealed as the client sent them
   */
  apply(request: Record<string, unknown>): Record<string, unknown> {
    const { model } = request
    if (model !== undefined && model !== null && typeof model !== 'string') return request
    const id = this.resolve(model)
    return id === undefined || id === model ? request : { ...request, model: id }
  }
}
