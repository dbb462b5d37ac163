import type { Context } from 'hono'
import { z } from 'zod'
import { fromUtf8 } from '../../attest/bytes.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import { ApiError, invalidRequest, unavailable } from '../../worker/protocol/index.ts'
import { upstreamIntegrity } from '../dispatch/errors.ts'
import type { ApiDeps, CatalogModel } from './deps.ts'
import { answerWhole } from './execute.ts'
import type { Env } from './route.ts'

/** What other faces read of an answer; a worker wrote it, so it is not believed to have a shape. */
const answerSchema = z.object({
  data: z.array(
    z.object({
      index: z.int(),
      text: z.string(),
      detected_source_language: z.string(),
      alternatives: z.array(z.string()).optional(),
      error: z
        .object({
          message: z.string(),
          type: z.string(),
          param: z.string().nullable(),
          code: z.string().nullable(),
        })
        .optional(),
    }),
  ),
})

/** Behind what is wrong with one text: other faces have no place for the texts that are right. */
export const CHARGED =
  'The request was charged. Send the other texts again without this one, or use /v1/translations.'

/** One translated text, as the faces of other shapes need it. */
export type TranslatedText = z.infer<typeof answerSchema>['data'][number]

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
 * @param names of our fields in that face, where they differ: what is refused is named as the client sent it
 * @returns one item for each text, in their order
 * @throws ApiError
 */
export async function translate(
  c: Context<Env>,
  deps: ApiDeps,
  request: Readonly<Record<string, unknown>>,
  names: Readonly<Record<string, string>>,
): Promise<TranslatedText[]> {
  if (c.req.header('idempotency-key') !== undefined)
    throw invalidRequest(
      null,
      "'Idempotency-Key' is not supported on this route. Leave it out, or use /v1/translations.",
      'unsupported_header',
    )
  const model = translationModel(deps)
  if (!model)
    throw unavailable('No worker serves a model at the moment. Try again shortly.', 'model_unavailable', 1)
  const json = { ...request, model: model.id }
  const answer = await answerWhole(c, deps, { path: '/v1/translations', json }).catch((error: unknown) => {
    throw renamed(error, names)
  })
  const parsed = answerSchema.safeParse(JSON.parse(fromUtf8(answer)))
  if (!parsed.success || parsed.data.data.length !== [request.input].flat().length)
    throw upstreamIntegrity(new ChrysalisError('ERR_CONTENT_MALFORMED', 'a translation that is none'))
  return parsed.data.data
}

function renamed(error: unknown, names: Readonly<Record<string, string>>): unknown {
  if (!(error instanceof ApiError) || error.param === null) return error
  const [field = ''] = /^\w+/.exec(error.param) ?? []
  const theirs = names[field]
  if (theirs === undefined) return error
  const param = theirs + error.param.slice(field.length)
  const message = error.message.replaceAll(`'${error.param}'`, `'${param}'`)
  const { status, type, apiCode, headers } = error
  return new ApiError({ status, type, message, param, apiCode, headers, cause: error })
}
