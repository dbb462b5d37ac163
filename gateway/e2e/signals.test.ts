import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { allGone, descendantsOf } from './processes.ts'
import { cleanUp, type Stack, startStack } from './stack.ts'

afterEach(cleanUp)

/** As a user starts it: npm, a shell, node, and the roles below. */
const npm = { command: ['npm', 'start', '--silent', '--'], detached: true }

const linux = process.platform === 'linux'
if (!linux)
  console.warn('signals.test.ts: SKIPPED, it counts the processes left behind in /proc, which only Linux has')

const signalGroup = (stack: Stack, signal: NodeJS.Signals) => process.kill(-(stack.child.pid ?? 0), signal)

describe.skipIf(!linux)('stopping', () => {
  it('SIGTERM through npm: exits 0 and leaves no process behind', async () => {
    const stack = await startStack(npm)
    const pids = descendantsOf(stack.child.pid ?? 0)
    expect(pids.length).toBeGreaterThanOrEqual(5)
    expect(await stack.stop('SIGTERM')).toBe(0)
    await allGone(pids)
  })

  it("a terminal's Ctrl-C, which npm doubles: one drain, a running stream is finished, exit 0", async () => {
    const stack = await startStack(npm)
    const pids = descendantsOf(stack.child.pid ?? 0)
    const stream = await stack.sdk.chat.completions.create({
      model: stack.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'Write a short story about a lighthouse.' }],
      stream: true,
    })
    const exited = once(stack.child, 'exit')
    let finish: string | null | undefined
    let chunks = 0
    for await (const chunk of stream) {
      // The whole foreground group gets the signal, and npm passes it on once more.
      if (++chunks === 2) signalGroup(stack, 'SIGINT')
      finish = chunk.choices[0]?.finish_reason ?? finish
    }
    expect(['stop', 'length']).toContain(finish)
    expect((await exited)[0]).toBe(0)
    await allGone(pids)
  })

  it('kill -9 of the supervisor leaves nothing behind, and the next start goes on where this one was', async () => {
    const first = await startStack()
    const pids = descendantsOf(first.child.pid ?? 0)
    await first.sdk.chat.completions.create({
      model: first.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'Hello' }],
    })
    await first.stop('SIGKILL')
    await allGone(pids)
    const second = await startStack({ dir: first.dir })
    expect(second.ready.apiKey).toBe(first.ready.apiKey)
    expect(second.ready.channel).toBe(first.ready.channel)
    await second.stop()
    const anew = await startStack({ dir: first.dir, args: ['--reset'] })
    expect(anew.ready.apiKey).not.toBe(first.ready.apiKey)
  })
})
