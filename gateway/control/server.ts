import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { codeOf } from '../../attest/cli/process.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import { isKnown } from '../known.ts'
import { sameSecret } from '../same-secret.ts'

/** One verb of the control plane: takes a JSON object, returns a JSON value. bigint is written as decimal text. */
export type ControlVerb = (input: Record<string, unknown>) => Promise<unknown>

/** Where the control plane listens and what opens it; written to a 0600 file for the CLI of the same user. */
export interface ControlAccess {
  url: string
  token: string
}

/** A refusal of the control plane itself or of the verb behind it. */
export class ControlError extends ChrysalisError {}

/**
 * Serves the verbs on 127.0.0.1 only, POST only, each call with the bearer token. A web page on the same machine can
 * reach loopback too: a foreign Origin or Host is refused before the token is looked at.
 */
export async function serveControl(
  verbs: Record<string, ControlVerb>,
): Promise<ControlAccess & { close(): Promise<void> }> {
  const token = randomBytes(32).toString('base64url')
  const app = createControlApp(verbs, token)
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    if ('closeAllConnections' in server) server.closeAllConnections()
    await closed
  }
  return { url: `http://127.0.0.1:${port}`, token, close }
}

function createControlApp(verbs: Record<string, ControlVerb>, token: string): Hono {
  const app = new Hono()
  app.onError((error, c) => {
    if (isKnown(error)) return c.json({ error: { code: error.code, message: error.message } }, 400)
    return c.json({ error: { code: codeOf(error), message: 'the server failed' } }, 500)
  })
  app.use(async (c, next) => {
    const { hostname } = new URL(c.req.url)
    if (hostname !== '127.0.0.1' || c.req.header('origin') !== undefined)
      return c.json({ error: { code: 'ERR_FORBIDDEN', message: 'local programs only' } }, 403)
    const given = c.req.header('authorization')?.replace(/^bearer +/i, '') ?? ''
    if (!sameSecret(given, token))
      return c.json({ error: { code: 'ERR_UNAUTHORIZED', message: 'wrong or missing control token' } }, 401)
    return next()
  })
  for (const [name, verb] of Object.entries(verbs))
    app.post(`/control/${name}`, async (c) =>
      c.text(stringify(await verb(parseInput(await c.req.text()))), 200, JSON_TYPE),
    )
  app.notFound((c) => c.json({ error: { code: 'ERR_NOT_FOUND', message: 'no such verb; POST only' } }, 404))
  return app
}

function parseInput(text: string): Record<string, unknown> {
  let input: unknown
  try {
    input = JSON.parse(text)
  } catch {
    // What a parser says quotes its input.
  }
  if (typeof input === 'object' && input !== null && !Array.isArray(input))
    return input as Record<string, unknown>
  throw new ControlError('ERR_CONTROL_INPUT', 'the body has to be one JSON object')
}

const JSON_TYPE = { 'content-type': 'application/json' }

function stringify(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? item.toString() : item)) ?? 'null'
}

/** Calls a verb of a running server. @throws ControlError with the server's code and sentence. */
export async function callControl(
  access: ControlAccess,
  verb: string,
  input: Record<string, unknown> = {},
): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(`${access.url}/control/${verb}`, {
      method: 'POST',
      headers: { ...JSON_TYPE, authorization: `Bearer ${access.token}` },
      body: JSON.stringify(input),
      redirect: 'error',
    })
  } catch (cause) {
    throw new ControlError('ERR_NOT_RUNNING', 'no server answers; start it with npm start', { cause })
  }
  const answer = (await response.json()) as { error?: { code: string; message: string } }
  if (!response.ok)
    throw new ControlError(answer.error?.code ?? 'ERR_CONTROL', answer.error?.message ?? 'refused')
  return answer
}
