/** @module The HTTP/1.1 server under the face: its times, and envelopes for what never becomes a request. */

import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { ApiError, invalidRequest, LINK_PATH, newRequestId } from '../../worker/protocol/index.ts'
import type { Env } from './route.ts'

export interface HttpServerOptions {
  /** Longest time for a request's head, in ms. */
  headersMs?: number
  /** Longest time for a whole request, head and body, in ms. */
  requestMs?: number
  /** How often those are looked at, in ms. */
  checkMs?: number
}

/** An idle connection is kept longer than load balancers keep theirs (60 s), so that it is they who close it. */
const KEEP_ALIVE_MS = 65_000

/**
 * A server of the application.
 *
 * - A head or a body that takes too long ends with 408, a head that is too large with 431, bytes that are no HTTP with
 *   400, all in OpenAI's envelope.
 * - `Expect: 100-continue` is answered when the application begins to read the body: a wrong key or a body that is too
 *   large is refused before the body travels.
 * - A client that closes its half of the connection is taken for gone. To serve it all the same would mean not to
 *   notice those that are.
 */
export function createHttpServer(app: Hono<Env>, options: HttpServerOptions = {}): Server {
  const { headersMs = 30_000, requestMs = 60_000, checkMs = 5_000 } = options
  const listener = getRequestListener(app.fetch, { errorHandler: () => malformedResponse() })
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Node would refuse without a word; the listener does it with an envelope.
      requireHostHeader: false,
      // Some HTTP clients offer h2c by an Upgrade header: whatever is not the link is served as plain HTTP/1.1.
      shouldUpgradeCallback: ({ url }: IncomingMessage) => url?.split('?', 1)[0] === LINK_PATH,
    },
    listener,
  )
  const answers = new WeakMap<Duplex, ServerResponse>()
  server.on('request', (request, response) => answers.set(request.socket, response))
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
  server.on('checkExpectation', (_request, response) => {
    const error = expectationFailed()
    const body = JSON.stringify(error.toJSON())
    response.writeHead(error.status, {
      connection: 'close',
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-request-id': newRequestId(),
    })
    response.end(body)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = answers.get(socket)
    // In mid-answer an envelope would land within it.
    const begun = answer?.headersSent === true && !answer.writableFinished
    if (begun || !socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
    socket.end(rawResponse(clientError(error.code)), () => socket.destroy())
  })
  return server
}

/** A head that node-server can make no request of: a path or a Host that is none. */
function malformedResponse(): Response {
  const error = malformed()
  const headers = { 'x-request-id': newRequestId() }
  return Response.json(error.toJSON(), { status: error.status, headers })
}

function malformed(): ApiError {
  return invalidRequest(null, 'This is no valid HTTP request.', 'malformed_request')
}

function expectationFailed(): ApiError {
  return new ApiError({
    status: 417,
    type: 'invalid_request_error',
    message: 'The only Expect that is met is 100-continue.',
    apiCode: 'expectation_failed',
  })
}

function clientError(code: string | undefined): ApiError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new ApiError({
      status: 408,
      type: 'timeout_error',
      message: 'The request did not arrive in time. Send it again, faster.',
      apiCode: 'request_timeout',
    })
  if (code === 'HPE_HEADER_OVERFLOW')
    return new ApiError({
      status: 431,
      type: 'invalid_request_error',
      message: 'The headers of the request are too large.',
      apiCode: 'headers_too_large',
    })
  return malformed()
}

function rawResponse(error: ApiError): string {
  const body = JSON.stringify(error.toJSON())
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${newRequestId()}`,
    '',
    body,
  ].join('\r\n')
}
