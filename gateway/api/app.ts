/**
 * @module The OpenAI face: a Hono application that speaks OpenAI's HTTP contract and hands requests to the
 * dispatcher. It frames documents that the worker wrote; it never interprets an answer.
 */
import { Hono } from 'hono'
import { ATTESTATION_PATH, newRequestId, notFound } from '../../worker/protocol/index.ts'
import { INFERENCE_PATHS } from './admit.ts'
import { attestationRoutes } from './attestation.ts'
import { authenticate, keyAdmission } from './auth.ts'
import type { ApiDeps } from './deps.ts'
import { answerError } from './errors.ts'
import { healthRoutes } from './health.ts'
import { inferenceRoutes } from './inference.ts'
import { loopbackOnly } from './loopback.ts'
import { modelRoutes } from './models.ts'
import { receiptRoutes } from './receipts.ts'
import { type Env, only } from './route.ts'

/** Builds the application; it holds no socket and no process state of its own. */
export function createApp(deps: ApiDeps): Hono<Env> {
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    c.set('requestId', newRequestId())
    c.header('x-request-id', c.get('requestId'))
    c.header('chrysalis-tee', deps.tee)
    await next()
  })
  app.onError((error, c) => answerError(c, error, deps.log))
  app.notFound((c) =>
    answerError(
      c,
      notFound(`Invalid URL (${c.req.method} ${c.req.path}). See the README for the routes.`),
      deps.log,
    ),
  )

  if (deps.loopback) app.use(loopbackOnly())
  healthRoutes(app, deps)
  // Before the check of keys: evidence is for everybody.
  attestationRoutes(app, deps)
  only(app, 'GET', ATTESTATION_PATH)
  app.use('/v1/*', authenticate(keyAdmission(deps.keys, deps.limiter)))
  modelRoutes(app, deps)
  receiptRoutes(app, deps)
  inferenceRoutes(app, deps)
  only(app, 'GET', '/healthz', '/readyz', '/v1/models', '/v1/models/:id{.+}', '/v1/receipts/:id')
  only(app, 'POST', ...INFERENCE_PATHS)
  return app
}
