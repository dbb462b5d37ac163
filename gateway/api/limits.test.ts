import { describe, expect, it } from 'vitest'
import { ApiError } from '../../worker/protocol/index.ts'
import { goDuration, RateLimiter } from './limits.ts'

function limiter(rates: { requests?: number; tokens?: number }) {
  const time = { now: 0 }
  return { time, limiter: new RateLimiter({ requests: 600, ...rates }, () => time.now) }
}

function refusal(act: () => unknown): ApiError {
  try {
    act()
  } catch (error) {
    if (error instanceof ApiError) return error
  }
  throw new Error('not refused')
}

it('refuses beyond the requests of a minute, each key by itself, and says when to come back', () => {
  const { limiter: limits, time } = limiter({ requests: 2 })
  limits.take('a')
  expect(limits.take('a')).toEqual({
    'x-ratelimit-limit-requests': '2',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '1m0s',
  })
  const { status, type, headers } = refusal(() => limits.take('a'))
  expect([status, type, headers['retry-after'], headers['retry-after-ms']]).toEqual([
    429,
    'requests',
    '30',
    '30000',
  ])
  limits.take('b')
  time.now = 30_000
  limits.take('a')
  expect(refusal(() => limits.take('a')).apiCode).toBe('rate_limit_exceeded')
})

describe('tokens', () => {
  it('are held by their bound and given back but for what was used', () => {
    const { limiter: limits } = limiter({ tokens: 1000 })
    const first = limits.takeTokens('a', 700)
    expect(first.headers).toMatchObject({
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '300',
      'x-ratelimit-reset-tokens': '42s',
    })
    expect(refusal(() => limits.takeTokens('a', 400)).type).toBe('tokens')
    first.settle(100)
    expect(limits.takeTokens('a', 900).headers['x-ratelimit-remaining-tokens']).toBe('0')
  })

  it('of a request that could need more than there ever are take all of them', () => {
    const { limiter: limits } = limiter({ tokens: 1000 })
    const hold = limits.takeTokens('a', 1e6)
    expect(hold.headers['x-ratelimit-remaining-tokens']).toBe('0')
    hold.settle(undefined)
    expect(refusal(() => limits.takeTokens('a', 1)).status).toBe(429)
  })

  it('are not counted, nor told of, where there is no limit', () => {
    expect(limiter({}).limiter.takeTokens('a', 1e9).headers).toEqual({})
  })
})

it('writes spans of time as OpenAI does', () => {
  expect([0, 20, 999.5, 1500, 60_000, 361_250].map(goDuration)).toEqual([
    '0ms',
    '20ms',
    '1s',
    '1.5s',
    '1m0s',
    '6m1.25s',
  ])
})
