import type { Hono } from 'hono'
import { modelNotFound } from '../../worker/protocol/index.ts'
import type { ApiDeps, CatalogModel } from './deps.ts'
import type { Env } from './route.ts'

/**
 * `GET /v1/models` and `/v1/models/{id}`, where an id may hold a slash, encoded or not. An alias is an entry of its own,
 * for clients that look their model up before they use it.
 */
export function modelRoutes(app: Hono<Env>, deps: ApiDeps): void {
  const { names } = deps
  app.get('/v1/models', (c) => {
    const data = deps
      .catalog()
      .flatMap((model) => [model.id, ...names.of(model.id)].map((name) => describe(model, name, deps)))
    return c.json({ object: 'list', data })
  })
  app.get('/v1/models/:id{.+}', (c) => {
    const name = c.req.param('id')
    const model = names.find(deps.catalog(), name)
    if (!model) throw modelNotFound(name)
    return c.json(describe(model, name, deps))
  })
}

/** OpenAI's four fields, and what is ours in one object of its own. */
function describe(model: CatalogModel, name: string, { names }: ApiDeps) {
  const { id, created, sha256, contextLength, quantization, languages, price, workers, tee } = model
  return {
    id: name,
    object: 'model',
    created,
    owned_by: id.includes('/') ? id.split('/', 1)[0] : 'chrysalis',
    chrysalis: {
      ...(name === id ? { aliases: names.of(id) } : { alias_of: id }),
      sha256,
      quantization,
      context_length: contextLength,
      ...(languages && { languages }),
      modalities: { input: ['text'], output: ['text', 'embedding'] },
      price: { ...price, currency: 'TON', unit: 'nanoton per million tokens' },
      workers,
      tee,
    },
  }
}
