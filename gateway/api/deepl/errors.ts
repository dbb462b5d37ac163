import type { Context } from 'hono'
import type { ApiDeps } from '../deps.ts'
import { toApiError } from '../errors.ts'
import type { Env } from '../route.ts'

/** Statuses that mean something else to DeepL's clients. */
const STATUSES: Readonly<Record<number, number>> = {
  401: 403,
  /** The quota is exceeded: clients stop instead of trying again. */
  402: 456,
  405: 404,
  415: 400,
}

/** The writer of errors in DeepL's shape, `{message}`; nothing of a text is in it. */
export function answerDeepLError(c: Context<Env>, error: unknown, log: ApiDeps['log']): Response {
  const shown = toApiError(error, log, c.get('requestId'))
  for (const [name, value] of Object.entries(shown.headers)) c.header(name, value)
  // Ours speaks of the header that OpenAI's clients send.
  const message =
    shown.status === 401
      ? "No API key or a wrong one. Send 'Authorization: DeepL-Auth-Key KEY'."
      : shown.message
  return c.json({ message }, (STATUSES[shown.status] ?? shown.status) as 500)
}
