/** Which headers pass between a local program and the gateway: what concerns one connection or one secret does not. */

import type { IncomingHttpHeaders } from 'node:http'

/** Of one connection (RFC 9110 §7.6.1). */
const HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** The local key is nobody else's business; the body is sent anew; the coding has to be one that we pass unread. */
const NOT_SENT = new Set([
  ...HOP,
  'accept-encoding',
  'api-key',
  'authorization',
  'content-encoding',
  'content-length',
  'cookie',
  'expect',
  'host',
  'origin',
  'payment-signature',
  'referer',
  'x-api-key',
])

/** The length is told anew, and cookies would be shared by all programs of this machine. */
const NOT_GIVEN = new Set([
  ...HOP,
  'set-cookie',
  'access-control-allow-origin',
  'access-control-allow-credentials',
])

/** The headers of a local request that the gateway gets. */
export function passedRequest(headers: Record<string, string>): Record<string, string> {
  const passed = Object.entries(headers).filter(([name]) => !NOT_SENT.has(name) && !name.startsWith('sec-'))
  return { ...Object.fromEntries(passed), 'accept-encoding': 'identity' }
}

/** The headers of the gateway's answer that the local program gets. */
export function passedAnswer(headers: IncomingHttpHeaders): Headers {
  const passed = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || NOT_GIVEN.has(name)) continue
    for (const each of Array.isArray(value) ? value : [value]) passed.append(name, each)
  }
  return passed
}
