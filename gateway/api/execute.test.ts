import { afterEach, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { rateLimited } from '../../worker/protocol/index.ts'
import type { DispatchRequest, DispatchResponse } from '../dispatch/index.ts'
import { RateLimiter } from './limits.ts'
import { scripted, serveFace, TEST_MODEL, TEST_SECRET } from './testing/face.ts'

const LIMIT = 1000
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A face with so many tokens a minute, on a clock that stands still. */
async function face(dispatch: (request: DispatchRequest) => Promise<DispatchResponse>) {
  const limiter = new RateLimiter({ requests: 1000, tokens: LIMIT }, () => 0)
  const served = await serveFace(dispatch, { limiter })
  closers.push(served.close)
  return async (body: object, signal?: AbortSignal) => {
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: TEST_MODEL.id, messages: [{ role: 'user', content: 'Hi' }], ...body }),
      ...(signal && { signal }),
    })
    await response.text()
    return { status: response.status, left: Number(response.headers.get('x-ratelimit-remaining-tokens')) }
  }
}

/** A whole answer that used so many tokens. */
function used(request: DispatchRequest, tokens: number): DispatchResponse {
  const response = scripted(request, [{ type: 'body', bytes: utf8('{}') }])
  const done = response.done.then((final) => ({ ...final, usage: { total_tokens: tokens } }))
  return { ...response, done }
}

it('holds the tokens of all choices at their bound, and counts in the end what was used', async () => {
  const asked: DispatchRequest[] = []
  const ask = await face(async (request) => {
    asked.push(request)
    return used(request, 30)
  })
  const first = await ask({ max_completion_tokens: 100, n: 3 })
  const { maxPromptTokens = 0, maxOutputTokens, n } = asked[0] ?? {}
  expect([maxOutputTokens, n]).toEqual([100, 3])
  expect(first).toEqual({ status: 200, left: LIMIT - maxPromptTokens - 300 })
  // The worker is granted again what has left for the client.
  await expect(asked[0]?.flushed?.()).resolves.toBeUndefined()
  const second = await ask({ max_completion_tokens: 100 })
  expect(second.left).toBe(LIMIT - 30 - maxPromptTokens - 100)
})

it('counts nothing for what the gateway refused, and all for what the client broke off', async () => {
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  let calls = 0
  const ask = await face(async (request) => {
    calls += 1
    if (calls === 1) throw rateLimited('Busy.', 1)
    if (calls > 2) return used(request, 0)
    begun.resolve()
    await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()))
    setImmediate(() => ended.resolve())
    throw new Error('cancelled')
  })
  const { left } = await ask({ max_completion_tokens: 100 })
  const gone = new AbortController()
  const broken = ask({ max_completion_tokens: 100 }, gone.signal).catch(() => {})
  await begun.promise
  gone.abort()
  await Promise.all([broken, ended.promise])
  expect((await ask({ max_completion_tokens: 100 })).left).toBe(left - (LIMIT - left))
})

it('refuses what would need more than is left, before any worker is asked', async () => {
  let calls = 0
  const ask = await face(async (request) => {
    calls += 1
    return used(request, 640)
  })
  await ask({ max_completion_tokens: 100, n: 6 })
  expect((await ask({ max_completion_tokens: 100, n: 6 })).status).toBe(429)
  expect(calls).toBe(1)
})
