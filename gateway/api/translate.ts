import type { Context } from 'hono'
import { fromUtf8 } from '../../attest/bytes.ts'
import { type TranslationResponse, unavailable } from '../../worker/protocol/index.ts'
import type { ApiDeps, CatalogModel } from './deps.ts'
import { answerWhole } from './execute.ts'
import type { Env } from './route.ts'

/** The model that serves the faces which name none: the default one, else the first that is served. */
export function translationModel({ catalog, names }: ApiDeps): CatalogModel | undefined {
  const models = catalog()
  const preferred = names.resolve(undefined)
  return models.find(({ id }) => id === preferred) ?? models[0]
}

/**
 * Runs a request of another face as one to `/v1/translations`: sealed, checked, charged like any other.
 *
 * @param request its body without `model`
 * @throws ApiError
 */
export async function translate(
  c: Context<Env>,
  deps: ApiDeps,
  request: Readonly<Record<string, unknown>>,
): Promise<TranslationResponse> {
  const model = translationModel(deps)
  if (!model)
    throw unavailable('No worker serves a model at the moment. Try again shortly.', 'model_unavailable', 1)
  const json = { ...request, model: model.id }
  // The worker that wrote it is attested, and the dispatcher has checked that it is one JSON object.
  return JSON.parse(fromUtf8(await answerWhole(c, deps, { path: '/v1/translations', json })))
}
