/** Serves the page of one payment to the browser of this machine, and to nobody else. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sameSecret } from '../../same-secret.ts'
import { FILES, paymentPage } from './page.ts'
import { SCRIPT } from './script.ts'
import { STYLE } from './style.ts'
import { type PaymentStatus, type PaymentView, WAITING } from './view.ts'

/** The page's own files from its own address, and nothing from anywhere else; no frame may hold it. */
const POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  // The address holds the token: a wallet's page is not to read it.
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  // So that nothing is left open when the payment is over.
  connection: 'close',
}

/** Tabs that may follow one payment. */
const MOST_FOLLOWERS = 16
const MOST_CONNECTIONS = 64

/** A page that is being served. */
export interface PaymentPage {
  /** For the person's browser. Whoever knows it may look; nobody can do anything there. */
  readonly url: string
  /** Tells every tab where the payment stands. */
  say(status: PaymentStatus): void
  /** Ends when the tabs have been told what was said last. */
  close(): Promise<void>
}

/**
 * Serves `view` on 127.0.0.1, at a free port, under a path that nobody can guess. A page of another site cannot look even
 * if it could: a Host or an Origin that is not this server's own is refused.
 */
export async function servePaymentPage(view: PaymentView): Promise<PaymentPage> {
  const token = randomBytes(32).toString('base64url')
  const followers = new Set<ServerResponse>()
  let status: PaymentStatus = WAITING
  const follow = (response: ServerResponse) => {
    if (followers.size >= MOST_FOLLOWERS) return refuse(response, 503, 'too many tabs')
    followers.add(response)
    response.on('close', () => followers.delete(response))
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' })
    response.write(eventOf(status))
  }
  const files = new Map<string, (response: ServerResponse) => void>([
    ['', file('text/html; charset=utf-8', paymentPage(view))],
    [FILES.style, file('text/css; charset=utf-8', STYLE)],
    [FILES.script, file('text/javascript; charset=utf-8', SCRIPT)],
    [FILES.events, follow],
  ])

  const server = createServer((request, response) => {
    if (!isOwn(request, own)) return refuse(response, 403, 'for the browser of this machine only')
    const [, given = '', name = ''] = /^\/([^/]*)\/([^/?]*)$/.exec(request.url ?? '') ?? []
    const answer = sameSecret(given, token) ? files.get(name) : undefined
    if (!answer) return refuse(response, 404, 'there is nothing here')
    if (request.method !== 'GET') return refuse(response, 405, 'GET only')
    answer(response)
  })
  server.maxConnections = MOST_CONNECTIONS
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = `127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url: `http://${own}/${token}/`,
    say(next) {
      status = next
      for (const each of followers) each.write(eventOf(next))
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      const told = [...followers].map((each) => new Promise<void>((resolve) => each.end(resolve)))
      await Promise.all(told)
      server.closeAllConnections()
      await closed
    },
  }
}

/** Typed into the browser, or asked by the page itself; not by another site, nor under a name that leads here. */
function isOwn({ headers }: IncomingMessage, own: string): boolean {
  const { host, origin, 'sec-fetch-site': site } = headers
  if (host !== own || (origin !== undefined && origin !== `http://${own}`)) return false
  return site === undefined || site === 'none' || site === 'same-origin'
}

function file(type: string, text: string) {
  return (response: ServerResponse) =>
    void response.writeHead(200, { ...HEADERS, 'content-type': type }).end(text)
}

function refuse(response: ServerResponse, code: number, why: string): void {
  response.writeHead(code, { ...HEADERS, 'content-type': 'text/plain' }).end(`${why}\n`)
}

function eventOf(status: PaymentStatus): string {
  return `data: ${JSON.stringify(status)}\n\n`
}
