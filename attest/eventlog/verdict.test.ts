/** The event log inside a whole verdict. */

import { expect, it } from 'vitest'
import { NONCE, NOW, sampleClaims, sampleEvidence, simulatedWithoutLog } from '../evidence/testing.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import { EVENTLOG_FACTORS } from '../policy/factors.ts'
import { SimulatedTee } from '../simulate/tee.ts'
import { measuredEvents } from './index.ts'

const claims = sampleClaims()
const events = measuredEvents(claims, { engine: 'cpu' })
const tee = SimulatedTee.ephemeral({ now: () => NOW, software: '1.0', events })
const lenient = simulatedWithoutLog(tee.rootSha256)
const policy = {
  ...lenient,
  skip: lenient.skip.filter((name) => !(EVENTLOG_FACTORS as readonly string[]).includes(name)),
}
const options = { policy, now: () => NOW, nonce: NONCE }

it('a verdict that accepts hands out what the log proves, and one that refuses does not', async () => {
  const bundle = await sampleEvidence(tee, claims)
  const { verdict, measured } = await verifyEvidence(bundle, options)
  expect(verdict).toBe('accept')
  expect(measured?.configuration).toEqual({ engine: 'cpu' })
  expect(measured?.secureBoot).toBe(false)
  expect(measured?.events.flatMap(({ name }) => name ?? [])).toEqual(events.map(({ name }) => name))
  const stale = await verifyEvidence(bundle, { ...options, nonce: new Uint8Array(32) })
  expect([stale.verdict, stale.measured]).toEqual(['refuse', undefined])
})

it('evidence without its log is accepted only where the policy forgives that', async () => {
  const { eventLog, ...bundle } = await sampleEvidence(tee, claims)
  expect(eventLog).toBeDefined()
  expect((await verifyEvidence(bundle, options)).verdict).toBe('refuse')
  const forgiven = await verifyEvidence(bundle, { ...options, policy: lenient })
  expect([forgiven.verdict, forgiven.measured]).toEqual(['accept', undefined])
})

it('a TD that measured another model than it claims is refused', async () => {
  const models = claims.models.map((model) => ({ ...model, sha256: '00'.repeat(32) }))
  const bundle = await sampleEvidence(tee, { ...claims, models })
  const { verdict, factors } = await verifyEvidence(bundle, { ...options, policy: lenient })
  expect(verdict).toBe('refuse')
  const failed = factors.filter(({ result }) => result === 'fail').map(({ name }) => name)
  expect(failed).toEqual(['eventlog.claims'])
})
