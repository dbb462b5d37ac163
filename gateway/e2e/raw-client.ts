import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'

/** A response that is read as fast as the test wants, over a connection of its own. */
export interface RawResponse {
  /** The data of the next server-sent event; undefined after the last. */
  next(): Promise<string | undefined>
  /** The rest of the events, up to the end of the response. */
  rest(): Promise<string[]>
  /** Resolves with the response's head. Nothing of its body is read before `next`. */
  head(): Promise<IncomingMessage>
  /** The client's end of the connection. */
  socket(): Promise<Socket>
  /** Hangs up. */
  destroy(): void
}

/** Posts JSON; the client hangs up, reads and stops reading as it is told. */
export function postRaw(url: string, key: string, body: object): RawResponse {
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  })
  const head = once(sent, 'response').then(([response]) => response as IncomingMessage)
  const socket = once(sent, 'socket').then(([connection]) => connection as Socket)
  head.catch(() => {})
  sent.on('error', () => {})
  sent.end(JSON.stringify(body))
  const events = head.then((response) => eventsOf(response))
  events.catch(() => {})
  const next = async () => {
    const result = await (await events).next()
    return result.done ? undefined : result.value
  }
  return {
    next,
    rest: async () => Array.fromAsync(await events),
    head: () => head,
    socket: () => socket,
    destroy: () => sent.destroy(),
  }
}

async function* eventsOf(response: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) yield event.slice('data: '.length)
  }
  if (text !== '') throw new Error('the stream ends within an event')
}
