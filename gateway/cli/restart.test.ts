import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { allGone, descendantsOf } from '../e2e/processes.ts'
import { cleanUp, type Stack, startStack } from '../e2e/stack.ts'

afterEach(cleanUp)

const ask = (stack: Stack) =>
  stack.sdk.chat.completions.create({
    model: stack.ready.models[0] ?? '',
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 5,
  })

describe.skipIf(process.platform !== 'linux')('kill -9 of the supervisor in mid-stream', () => {
  it.each([
    ['and a start right after it: goes on where it was', []],
    ['and a start with --reset right after it: begins anew', ['--reset']],
  ])('%s', async (_, args) => {
    const first = await startStack()
    const pids = descendantsOf(first.child.pid ?? 0)
    const stream = await first.sdk.chat.completions.create({
      model: first.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'Write a short story about a lighthouse.' }],
      stream: true,
    })
    await stream[Symbol.asyncIterator]().next()
    await first.stop('SIGKILL')
    // No waiting for the orphans here: that is what the new processes do.
    const second = await startStack({ dir: first.dir, args })
    expect(second.ready.apiKey === first.ready.apiKey).toBe(args.length === 0)
    expect(second.ready.channel === first.ready.channel).toBe(args.length === 0)
    expect((await ask(second)).usage?.completion_tokens).toBeGreaterThan(0)
    await allGone(pids)
    const control = join(second.dir, 'gateway', 'control.json')
    expect(statSync(control).mode & 0o777).toBe(0o600)
    expect(await second.stop()).toBe(0)
    expect(existsSync(control)).toBe(false)
  })
})
