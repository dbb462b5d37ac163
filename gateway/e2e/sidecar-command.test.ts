/** `chrysalis sidecar` as a user runs it, beside the whole quickstart: real processes, sockets, evidence, chain. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Address } from '@ton/core'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { channelStatus } from './money.ts'
import { cleanUp, ROOT, type Stack, startStack, stopChild, temporaryFolder } from './stack.ts'

let stack: Stack
let dir: string
beforeAll(async () => {
  stack = await startStack()
  dir = join(await temporaryFolder(), 'sidecar')
})
const running: ChildProcess[] = []
afterAll(async () => {
  for (const child of running) await stopChild(child, 'SIGTERM')
  await cleanUp()
})

const LAUNCH = ['gateway/cli/launch.mjs', 'sidecar']
const trust = () => ['--policy', 'simulated', '--root', join(stack.dir, 'tee', 'root.der')]
const chain = () => [
  ...['--chain-url', readFileSync(join(stack.dir, 'chain', 'url'), 'utf8').trim()],
  ...['--chain-token-file', join(stack.dir, 'chain', 'token')],
]

async function run(...args: string[]): Promise<string> {
  const all = [...LAUNCH, ...args, '--data', dir]
  const { stdout } = await promisify(execFile)(process.execPath, all, { cwd: ROOT })
  return stdout
}

/** Starts serving; resolves with a client of it. */
async function serve(): Promise<{ sdk: OpenAI; child: ChildProcess }> {
  const args = [...LAUNCH, '--data', dir, '--port', '0', '--json', ...trust()]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'exit').then(() => {
    throw new Error(stderr)
  })
  exited.catch(() => {})
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), exited])) as [
    string,
  ]
  const apiKey = readFileSync(join(dir, 'api-key'), 'utf8').trim()
  return { sdk: new OpenAI({ baseURL: JSON.parse(line).url, apiKey, maxRetries: 0 }), child }
}

interface Status {
  address: string
  deposited: string
  proven: string
  signed: string
  running: number
  halted: unknown
}
const status = async (): Promise<Status> => JSON.parse(await run('status', '--json')).channels[0]

/** Resolves once every request that ended is proven. */
async function proven(): Promise<Status> {
  for (;;) {
    const now = await status()
    if (now.running === 0 || now.halted) return now
  }
}

const ask = { messages: [{ role: 'user' as const, content: 'Hello' }] }

describe('chrysalis sidecar', () => {
  it('opens a channel, serves, is killed at any moment, goes on, and closes', async () => {
    const opened = await run('open', '--gateway', stack.origin, '--deposit', '1', '--faucet', ...chain())
    expect(opened).toContain('is open with 1.000000000 TON')
    const model = stack.ready.models[0] ?? ''

    // Killed in mid-stream, and right after an answer.
    for (let i = 0; i < 3; i++) {
      const { sdk, child } = await serve()
      const answer = await sdk.chat.completions.create({ model, ...ask })
      expect(answer.choices[0]?.message.content).not.toBe('')
      const stream = await sdk.chat.completions.create({ model, ...ask, stream: true })
      for await (const _ of stream) break
      await stopChild(child, 'SIGKILL')
      const { address, proven: sum, signed, halted } = await status()
      // What it sent, it had on disk.
      const { channels } = await channelStatus(stack)
      const held = channels.find((each) => Address.parse(each.address).toRawString() === address)
      expect(BigInt(held?.ceiling ?? 0)).toBeGreaterThan(0n)
      expect(BigInt(held?.ceiling ?? 0)).toBeLessThanOrEqual(BigInt(signed))
      expect(halted).toBeNull()
      expect(BigInt(signed)).toBeLessThanOrEqual(BigInt(sum) + 100_000_000n)
    }

    // The state is lost; the key is not.
    const { address } = await status()
    const channelDir = join(dir, 'channels', address.slice(2))
    for (const end of ['', '-wal', '-shm']) await rm(join(channelDir, `state.sqlite${end}`), { force: true })
    const { sdk, child } = await serve()
    await sdk.chat.completions.create({ model, ...ask })
    const { halted, proven: sum } = await proven()
    expect(halted).toBeNull()
    await stopChild(child, 'SIGTERM')

    for (const file of [
      join(dir, 'api-key'),
      join(dir, 'wallet'),
      join(channelDir, 'voucher-key'),
      join(channelDir, 'state.sqlite'),
    ])
      if (process.platform !== 'win32') expect(statSync(file).mode & 0o077).toBe(0)

    const closed = await run('close', ...trust(), ...chain())
    expect(closed).toMatch(/^closed: the gateway got 0\.\d{9} TON/)
    const [, got = ''] = /got (\d+\.\d{9}) TON/.exec(closed) ?? []
    expect(BigInt(got.replace('.', ''))).toBeGreaterThanOrEqual(BigInt(sum))
    expect((await status()).halted).toBeNull()
  })

  it('refuses a second one on the same folder, and says who has it', async () => {
    const { child } = await serve()
    await expect(serve()).rejects.toThrow(/in use by another Chrysalis process \(pid \d+\)/)
    await stopChild(child, 'SIGTERM')
  })
})
