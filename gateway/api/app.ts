/**
 * @module The OpenAI face: a Hono application that speaks OpenAI's HTTP contract and hands requests to the
 * dispatcher. It frames documents that the worker wrote; it never interprets an answer.
 */
import { Hono } from 'hono'
import { ATTESTATION_PATH, clip, newRequestId, notFound, PATHS } from '../../worker/protocol/index.ts'
import { attestationRoutes } from './attestation.ts'
import { keyAdmission } from './auth.ts'
import { cors } from './cors.ts'
import { answerDeepLError } from './deepl/errors.ts'
import { deepLRoutes } from './deepl/routes.ts'
import { delegatedRoutes } from './delegated.ts'
import type { ApiDeps } from './deps.ts'
import { answerError } from './errors.ts'
import { HEALTH_PATHS, healthRoutes } from './health.ts'
import { inferenceRoutes } from './inference.ts'
import {
  answerLibreTranslateError,
  LIBRE_TRANSLATE_PATHS,
  libreTranslateRoutes,
} from './libretranslate/routes.ts'
import { loopbackOnly } from './loopback.ts'
import { modelRoutes } from './models.ts'
import { openapiRoutes } from './openapi/routes.ts'
import { authenticateOrPay, channelRoutes, paymentHeaders, paymentTermsRoutes } from './pay.ts'
import { receiptRoutes } from './receipts.ts'
import { clientRequestId, setProcessingTime } from './request-headers.ts'
import { type Env, only } from './route.ts'

/** Builds the application; it holds no socket and no process state of its own. */
export function createApp(deps: ApiDeps): Hono<Env> {
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    c.set('requestId', newRequestId())
    c.set('startedAt', deps.monotonic())
    c.header('x-request-id', c.get('requestId'))
    c.header('chrysalis-tee', deps.tee)
    // So that clients come back on a new connection, to whoever listens then.
    if (deps.draining()) c.header('connection', 'close')
    await next()
  })
  app.onError((error, c) => {
    setProcessingTime(c, deps)
    return errorWriter(c.req.path)(c, error, deps.log)
  })
  app.notFound((c) =>
    errorWriter(c.req.path)(
      c,
      notFound(`Invalid URL (${clip(c.req.method)} ${clip(c.req.path)}). See /reference for the routes.`),
      deps.log,
    ),
  )

  if (deps.loopback) app.use(loopbackOnly(deps.corsOrigins))
  app.use(cors(deps.corsOrigins))
  app.use(clientRequestId())
  only(app, 'GET', ...HEALTH_PATHS, ATTESTATION_PATH, '/v1/models', '/v1/models/:id{.+}', '/v1/receipts/:id')
  only(app, 'POST', ...Object.keys(PATHS))
  healthRoutes(app, deps)
  openapiRoutes(app)
  // Before the check of keys: evidence is for everybody.
  attestationRoutes(app, deps)
  const admitKey = keyAdmission(deps.keys, deps.limiter)
  app.route('/v2', deepLRoutes(deps, admitKey))
  libreTranslateRoutes(app, deps, admitKey)
  app.use('/v1/*', paymentHeaders(deps))
  paymentTermsRoutes(app, deps)
  delegatedRoutes(app, deps)
  app.use('/v1/*', authenticateOrPay(deps, admitKey))
  channelRoutes(app, deps)
  modelRoutes(app, deps)
  receiptRoutes(app, deps)
  inferenceRoutes(app, deps)
  return app
}

/** Errors have the shape of the face that was asked, also those that are thrown before its routes. */
function errorWriter(path: string): typeof answerError {
  if (path.startsWith('/v2/')) return answerDeepLError
  return LIBRE_TRANSLATE_PATHS.includes(path) ? answerLibreTranslateError : answerError
}
