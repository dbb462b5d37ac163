import { expect, test } from 'vitest'
import { EarningsError } from '../earnings/index.ts'
import { GatewayRefused } from './errors.ts'
import { byGateway, byWorker } from './refusal.ts'

test('a gateway that was refused: what failed, in our words', () => {
  const error = new GatewayRefused('ERR_GATEWAY_EVIDENCE', 'it does not meet the policy', ['quote.signature'])
  expect(byWorker(error)).toEqual({
    by: 'worker',
    code: 'ERR_GATEWAY_EVIDENCE',
    factors: ['quote.signature'],
    reason: 'it does not meet the policy',
  })
  const unpaid = byWorker(new EarningsError('ERR_UNPAID', 'no channel'))
  expect(unpaid).toEqual({ by: 'worker', code: 'ERR_UNPAID', factors: [], reason: 'no channel' })
})

test('what broke in a library: a code, and none of its words, which may quote what came', () => {
  const refusal = byWorker(new SyntaxError('Unexpected token s in "secret"'))
  expect(Object.keys(refusal)).toEqual(['by', 'code', 'factors'])
  expect(JSON.stringify(refusal)).not.toContain('secret')
})

test('the words of a gateway: short and printable', () => {
  const { factors, reason } = byGateway({
    type: 'refused',
    code: 'evidence',
    factors: ['quote\u202e.signature'],
    reason: `\u009b2J${'x'.repeat(300)}`,
  })
  expect(factors).toEqual(['quote?.signature'])
  expect(reason).toBe(`?2J${'x'.repeat(197)}`)
})
