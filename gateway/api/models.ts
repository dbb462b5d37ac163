import type { Hono } from 'hono'
import { modelNotFound } from '../../worker/protocol/index.ts'
import type { ApiDeps, CatalogModel } from './deps.ts'
import type { Env } from './route.ts'

/** `GET /v1/models` and `/v1/models/{id}`, where an id may hold a slash, encoded or not. */
export function modelRoutes(app: Hono<Env>, deps: ApiDeps): void {
  app.get('/v1/models', (c) => c.json({ object: 'list', data: deps.catalog().map(describe) }))
  app.get('/v1/models/:id{.+}', (c) => {
    const id = c.req.param('id')
    const model = deps.catalog().find((candidate) => candidate.id === id)
    if (!model) throw modelNotFound(id)
    return c.json(describe(model))
  })
}

function describe(model: CatalogModel) {
  const { id, created, sha256, contextLength, languages } = model
  return {
    id,
    object: 'model',
    created,
    owned_by: id.includes('/') ? id.split('/', 1)[0] : 'chrysalis',
    chrysalis: { sha256, context_length: contextLength, ...(languages && { languages }) },
  }
}
