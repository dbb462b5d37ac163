import { expect, it, vi } from 'vitest'
import { toHex, utf8 } from '../../attest/bytes.ts'
import { Epoch } from '../../attest/epoch/epoch.ts'
import { Gate } from '../../worker/engine/testing/scripted.ts'
import { InProcess } from './inprocess.ts'
import { until } from './turns.ts'

/** Short lives, in ms; no request is sealed to an epoch in its last 30 s. */
const LIFE = { lifetimeMs: 100_000, earlyMs: 50_000, graceMs: 5_000 }

it('a stream that outlives its epoch finishes, under the epoch that it began with', async () => {
  using erase = vi.spyOn(Epoch.prototype, 'erase')
  const gate = new Gate()
  let requests = 0
  await using net = await InProcess.open({
    epochs: LIFE,
    engine: { script: () => (requests++ === 0 ? ['Begun', gate, ' and ended'] : ['New']) },
  })
  const began = net.claimsDigest
  const stream = net.rawChat('Take your time', { stream: true })
  const { headers } = await stream.head()
  await gate.reached

  net.clock.advance(LIFE.lifetimeMs - LIFE.earlyMs)
  await until(() => net.claimsDigest !== began)
  const next = await net.chat('And now?')
  expect(next.status).toBe(200)
  const { body } = await net.receipt(next.headers.get('chrysalis-receipt') ?? '')
  expect(body.claimsDigest).toBe(net.claimsDigest)

  net.clock.advance(LIFE.earlyMs + LIFE.graceMs)
  await net.worker.tick()
  const erased = (erase.mock.contexts as Epoch[]).map(({ claimsDigest }) => toHex(claimsDigest ?? utf8('')))
  expect(erased).toEqual([began])

  gate.open()
  const events = await stream.rest()
  expect(events.join()).toContain(' and ended')
  expect(events.at(-1)).toBe('[DONE]')
  const finished = await net.receipt(String(headers['chrysalis-receipt']))
  expect(finished.body).toMatchObject({ claimsDigest: began, status: 'complete' })
})
