import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backOff } from './clock.ts'
import { interpret, parseRetryAfter } from './reply.ts'

const NOW = Date.parse('2026-06-15T00:00:00Z')
const reply = (status: number, text: string, retryAfter: string | null = null) => ({
  status,
  text,
  retryAfter,
})

describe('interpret', () => {
  it('takes only status 200 with ok for an answer', () => {
    expect(interpret('p', reply(200, '{"ok":true,"result":1}'), NOW)).toEqual({
      data: { ok: true, result: 1 },
    })
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, text) => {
        const outcome = interpret('p', reply(status, text), NOW)
        expect('data' in outcome).toBe(false)
      }),
    )
  })

  it('never repeats what the provider wrote', () => {
    const secret = fc.stringMatching(/^[a-z]{20}$/)
    const text = secret.map((word) => ({
      word,
      texts: [
        word,
        `{"ok":false,"error":"${word}","code":500}`,
        `{"ok":false,"result":"${word}","code":429}`,
      ],
    }))
    fc.assert(
      fc.property(
        text,
        fc.constantFrom(200, 400, 401, 404, 422, 429, 500, 542),
        ({ word, texts }, status) => {
          for (const body of texts) {
            const outcome = interpret('p', reply(status, body), NOW)
            if ('data' in outcome) throw new Error('no answer')
            expect(outcome.error.message).not.toContain(word)
            expect(outcome.error.cause).toBeUndefined()
          }
        },
      ),
    )
  })

  it.each<[number, string, string, boolean]>([
    [429, '', 'ERR_CHAIN_RATE_LIMITED', true],
    [200, '{"ok":false,"result":"Ratelimit exceed","code":429}', 'ERR_CHAIN_RATE_LIMITED', true],
    [401, '', 'ERR_CHAIN_UNAUTHORIZED', false],
    [403, '', 'ERR_CHAIN_UNAUTHORIZED', false],
    [404, '', 'ERR_CHAIN_REQUEST', false],
    [422, '{"ok":false,"error":"address: wrong","code":422}', 'ERR_CHAIN_REQUEST', false],
    [200, '', 'ERR_CHAIN_REPLY', true],
    [200, '[]', 'ERR_CHAIN_REPLY', true],
    [200, '{"ok":true,"result":{"balance":9007199254740993}}', 'ERR_CHAIN_REPLY', true],
    [500, '{"ok":false,"error":"LITE_SERVER_NOTREADY","code":500}', 'ERR_CHAIN_UNREACHABLE', true],
    [200, '{"ok":false,"error":"timeout","code":504}', 'ERR_CHAIN_UNREACHABLE', true],
    [500, '{"ok":true,"result":1}', 'ERR_CHAIN_UNREACHABLE', true],
    [504, '<html>', 'ERR_CHAIN_UNREACHABLE', true],
    [
      500,
      '{"ok":false,"error":"cannot apply external message to current state : x"}',
      'ERR_CHAIN_REJECTED',
      false,
    ],
    [400, '{"ok":false,"error":"External message was not accepted"}', 'ERR_CHAIN_REJECTED', false],
  ])('%i %s is %s', (status, text, code, retry) => {
    expect(interpret('p', reply(status, text), NOW)).toMatchObject({ error: { code }, retry })
  })
})

describe('pauses', () => {
  it('Retry-After is seconds or a date, and never more than ten minutes', () => {
    expect(parseRetryAfter('7', NOW)).toBe(7000)
    expect(parseRetryAfter('Mon, 15 Jun 2026 00:00:09 GMT', NOW)).toBe(9000)
    expect(parseRetryAfter('Mon, 15 Jun 2020 00:00:09 GMT', NOW)).toBe(0)
    expect(parseRetryAfter('999999999', NOW)).toBe(600_000)
    for (const header of [null, '', 'soon', '-5', '1e99']) expect(parseRetryAfter(header, NOW)).toBe(0)
  })

  it('grow, within bounds, and are spread', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const pause = backOff(attempt, random)
        expect(pause).toBeGreaterThanOrEqual(125)
        expect(pause).toBeLessThanOrEqual(8000)
        expect(backOff(attempt + 1, random)).toBeGreaterThanOrEqual(pause)
      }),
    )
    expect(backOff(0, 0)).toBeLessThan(backOff(0, 0.99))
  })
})
