/**
 * An OpenAI-shaped server that plays scripts, for the gateways that proxy in clear. Its events are those of our worker,
 * padding included, so that all contenders pass on the same bytes. Prints its URL.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { padEvent } from '../../../worker/tasks/padding.ts'
import { MODEL, play, readScript } from './script.ts'

const head = { id: `chatcmpl-req_${'0'.repeat(24)}`, created: 1_800_000_000, model: MODEL }
const usage = { prompt_tokens: 100, completion_tokens: 16, total_tokens: 116 }

createServer((request, response) => {
  void answer(request, response).catch(() => response.destroy())
}).listen(0, '127.0.0.1', function (this: import('node:net').Server) {
  const { port } = this.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ event: 'ready', url: `http://127.0.0.1:${port}` })}\n`)
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const { messages, stream } = JSON.parse(Buffer.concat(parts).toString())
  const script = readScript(messages)
  if (stream) return await streamed(script, response)
  let text = ''
  for await (const token of play(script)) text += token
  const message = { role: 'assistant', content: text, refusal: null, annotations: [] }
  const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }]
  const body = JSON.stringify({ ...head, object: 'chat.completion', choices, usage })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

async function streamed(script: Parameters<typeof play>[0], response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  const write = (delta: object, reason: string | null = null) => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: reason }]
    const event = padEvent({ ...head, object: 'chat.completion.chunk', choices })
    return response.write(`data: ${event}\n\n`)
  }
  write({ role: 'assistant', content: '', refusal: null })
  for await (const content of play(script)) {
    if (!write({ content })) await new Promise((resolve) => response.once('drain', resolve))
  }
  write({}, 'stop')
  response.end('data: [DONE]\n\n')
}
