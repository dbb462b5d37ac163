/** The gateway over HTTP: requests as they are given, answers as they come. */

import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { codeOf } from '../../attest/cli/process.ts'
import { isLoopback } from '../../worker/protocol/index.ts'
import { SidecarError } from './errors.ts'

/** Longest silence on a connection, ms: longer than a gateway lets a request take without a word. */
const SILENCE_MS = 660_000

/** A request as it leaves. */
export interface UpstreamRequest {
  method: string
  /** With query. */
  path: string
  headers: Record<string, string>
  /** Absent where there is none. */
  body?: Uint8Array
  signal?: AbortSignal
}

/** The head of an answer, and the rest of it as it comes. */
export interface UpstreamAnswer {
  status: number
  /** Lower-case names. */
  headers: IncomingHttpHeaders
  /** To be read or destroyed: it holds a connection. */
  body: IncomingMessage
}

/** The gateway at one address; connections are kept. */
export class Upstream {
  readonly origin: URL
  readonly #agent: HttpAgent | HttpsAgent
  readonly #request: typeof requestHttp

  /**
   * @param url of the gateway, with or without `/v1`
   * @throws SidecarError ERR_SIDECAR_INPUT for another form, and for plain HTTP beyond this machine
   */
  constructor(url: string) {
    this.origin = originOf(url)
    const secure = this.origin.protocol === 'https:'
    this.#agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
    this.#request = secure ? requestHttps : requestHttp
  }

  /**
   * Sends one request. No redirect is followed.
   * @throws SidecarError ERR_GATEWAY when no head of an answer comes
   */
  send({ method, path, headers, body, signal }: UpstreamRequest): Promise<UpstreamAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>()
    const sent = this.#request(new URL(path, this.origin), {
      method,
      agent: this.#agent,
      timeout: SILENCE_MS,
      headers: { ...headers, ...(body && { 'content-length': String(body.length) }) },
      ...(signal && { signal }),
    })
    sent.on('timeout', () => sent.destroy(new Error('silent for too long')))
    sent.on('error', (cause) => {
      const text = `the gateway ${this.origin.origin} does not answer (${codeOf(cause)}); is it running?`
      reject(new SidecarError('ERR_GATEWAY', text, { cause }))
    })
    sent.on('response', (answer) => {
      resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: answer })
    })
    sent.end(body)
    return promise
  }

  /** Lets go of idle connections. */
  close(): void {
    this.#agent.destroy()
  }
}

function originOf(text: string): URL {
  const refuse = (why: string) => new SidecarError('ERR_SIDECAR_INPUT', `gateway: ${why}`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw refuse('write its address as https://host[:port]')
  if (!/^\/(v1\/?)?$/.test(url.pathname)) throw refuse('its address has no path but /v1')
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw refuse('plain http would show prompts to the network; use https')
  return new URL(url.origin)
}
