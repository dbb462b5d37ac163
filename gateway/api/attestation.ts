import type { Hono } from 'hono'
import { ATTESTATION_PATH, readAttestationQuery } from '../../worker/protocol/index.ts'
import { callerOf } from './caller.ts'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

/**
 * `GET /v1/attestation`: evidence of this gateway and of its workers, for anybody: evidence is public. With `nonce`
 * each bundle is made for it. The answer is nobody's word but that of the bundles: judge them.
 */
export function attestationRoutes(app: Hono<Env>, deps: ApiDeps): void {
  app.get(ATTESTATION_PATH, async (c) => {
    const query = readAttestationQuery(c.req.queries())
    c.header('cache-control', 'no-store')
    return c.json(await deps.attestation.answer(query, callerOf(c, deps)))
  })
}
