import { setTimeout as after } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { payFor } from './money.ts'
import { processesWith } from './processes.ts'
import { bodyOf, cleanUp, type ErrorBody, type Stack, startStack } from './stack.ts'

const linux = process.platform === 'linux'
if (!linux)
  console.warn('outage.test.ts: SKIPPED, it finds the chain’s process in /proc, which only Linux has')

afterAll(cleanUp)

/** Asks until the gateway says so; between two questions it has time to look. */
async function readiness(stack: Stack, status: number): Promise<unknown> {
  for (;;) {
    const response = await fetch(`${stack.origin}/readyz`)
    const body = await response.json()
    if (response.status === status) return body
    await after(100)
  }
}

describe.runIf(linux)('a chain that does not answer', () => {
  it('is done without for the stated time, then requests are refused with the reason, until it is back', async () => {
    const stack = await startStack({ env: { CHRYSALIS_CHAIN_OUTAGE_SECONDS: '10' } })
    const chain = processesWith(stack.dir).find(({ command }) => command.includes('chain/local/main'))
    if (!chain) return expect.fail('no chain')
    // It hangs: connections are taken, and nothing comes back.
    process.kill(chain.pid, 'SIGSTOP')
    try {
      expect(await payFor(stack, 'Hello')).toBeGreaterThan(0n)
      expect(await readiness(stack, 503)).toEqual({ status: 'unavailable', missing: ['chain'] })
      const messages = [{ role: 'user', content: 'Hello' }]
      const refused = await stack.post('/v1/chat/completions', { model: stack.ready.models[0], messages })
      expect(refused.status).toBe(503)
      expect(refused.headers.get('retry-after')).toBe('30')
      const { error } = await bodyOf<ErrorBody>(refused)
      expect(error).toMatchObject({ type: 'server_error', code: 'chain_unavailable' })
    } finally {
      process.kill(chain.pid, 'SIGCONT')
    }
    expect(await readiness(stack, 200)).toEqual({ status: 'ready' })
    expect(await payFor(stack, 'Hello')).toBeGreaterThan(0n)
    await stack.stop()
  }, 120_000)
})
