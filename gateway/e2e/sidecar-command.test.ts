/** `chrysalis sidecar` as a user runs it, beside the whole quickstart: real processes, sockets, evidence, chain. */

import type { ChildProcess } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Address } from '@ton/core'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectLocalChain, Wallet } from '../../contracts/index.ts'
import { chrysalis, startChrysalis, stopCommands } from './command.ts'
import { channelStatus } from './money.ts'
import { cleanUp, type Stack, startStack, stopChild, temporaryFolder } from './stack.ts'

let stack: Stack
let dir: string
beforeAll(async () => {
  stack = await startStack()
  dir = join(await temporaryFolder(), 'sidecar')
})
afterAll(async () => {
  await stopCommands()
  await cleanUp()
})

const trust = () => ['--policy', 'simulated', '--root', join(stack.dir, 'tee', 'root.der')]
const local = () => ({
  url: readFileSync(join(stack.dir, 'chain', 'url'), 'utf8').trim(),
  token: readFileSync(join(stack.dir, 'chain', 'token'), 'utf8').trim(),
})
const chain = () => ['--chain-url', local().url, '--chain-token-file', join(stack.dir, 'chain', 'token')]

async function run(...args: string[]): Promise<string> {
  return await runIn(dir, ...args)
}

async function runIn(data: string, ...args: string[]): Promise<string> {
  return await chrysalis('sidecar', ...args, '--data', data)
}

/** Starts serving; resolves with a client of it. */
async function serve(data = dir, ...more: string[]): Promise<{ sdk: OpenAI; child: ChildProcess }> {
  const args = ['sidecar', '--data', data, '--port', '0', ...trust(), ...more]
  const { ready, child } = await startChrysalis<{ url: string }>(...args)
  const apiKey = readFileSync(join(data, 'api-key'), 'utf8').trim()
  return { sdk: new OpenAI({ baseURL: ready.url, apiKey, maxRetries: 0 }), child }
}

interface Status {
  address: string
  deposited: string
  proven: string
  signed: string
  running: number
  halted: unknown
}
const status = async (data = dir): Promise<Status> =>
  JSON.parse(await runIn(data, 'status', '--json')).channels[0]

/** Resolves once every request that ended is proven. */
async function proven(data = dir): Promise<Status> {
  for (;;) {
    const now = await status(data)
    if (now.running === 0 || now.halted) return now
  }
}

const ask = { messages: [{ role: 'user' as const, content: 'Hello' }] }

describe('chrysalis sidecar', () => {
  it('opens a channel, serves, is killed at any moment, goes on, and closes', async () => {
    const opened = await run('open', '--gateway', stack.origin, '--deposit', '1', '--faucet', ...chain())
    expect(opened).toContain('is open with 1.000000000 TON')
    const added = await run('top-up', '--amount', '0.5', '--faucet', ...chain())
    expect(added).toBe('the deposit is 1.500000000 TON now\n')
    expect((await status()).deposited).toBe('1500000000')
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

  it('pays by no channel that it closed, but by the next; refuses a second one on the same folder', async () => {
    expect(await run('status')).toMatch(/^channel kQ[\w-]{46} \(closed\)\n/)
    await expect(serve()).rejects.toThrow(/is closed; open another with/)
    await run('open', '--gateway', stack.origin, '--deposit', '1', '--faucet', ...chain())
    const { child } = await serve()
    await expect(serve()).rejects.toThrow(/in use by another Chrysalis process \(pid \d+\)/)
    await stopChild(child, 'SIGTERM')
  })

  it('goes on from key and address alone, stops when another signs with its key, and resumes', async () => {
    const model = stack.ready.models[0] ?? ''
    const here = join(dir, '..', 'here')
    const there = join(dir, '..', 'there')
    const open = ['open', '--gateway', stack.origin, '--deposit', '1', '--slice', '0.01', '--faucet']
    await runIn(here, ...open, ...chain())
    const { address } = await status(here)
    const first = await serve(here, '--slice', '0.01')
    await first.sdk.chat.completions.create({ model, ...ask })
    const known = await proven(here)

    // Elsewhere nothing is left but the key; the parameters are the gateway's, and the address proves them.
    const keyFile = join(here, 'channels', address.slice(2), 'voucher-key')
    const restore = ['restore', '--gateway', stack.origin, ...chain(), '--channel']
    const wrong = `0:${'ab'.repeat(32)}`
    await expect(runIn(there, ...restore, wrong, '--key-file', keyFile)).rejects.toThrow(
      /ERR_GATEWAY|answers 4/,
    )
    await expect(runIn(there, ...restore, address, '--key-file', join(there, 'none'))).rejects.toThrow(
      /--key-file .*none: no file of 64 hexadecimal digits/,
    )
    const friendly = Address.parse(address).toString({ testOnly: true })
    const restored = await runIn(there, ...restore, friendly, '--key-file', keyFile)
    expect(restored).toBe(`channel ${friendly} is back; serve with: chrysalis sidecar\n`)
    const second = await serve(there)
    expect((await status(there)).proven).toBe(known.proven)
    await second.sdk.chat.completions.create({ model, ...ask })
    expect((await proven(there)).halted).toBeNull()
    await stopChild(second.child, 'SIGTERM')

    // The first one knows nothing of the higher voucher, nor of the charge.
    await first.sdk.chat.completions.create({ model, ...ask }).catch(() => {})
    const { halted } = await proven(here)
    expect(halted).toMatchObject({ code: 'ERR_OTHER_SIGNER' })
    await expect(first.sdk.chat.completions.create({ model, ...ask })).rejects.toMatchObject({ status: 402 })
    await stopChild(first.child, 'SIGTERM')
    expect(await runIn(here, 'status')).toMatch(
      /STOPPED +ERR_OTHER_SIGNER: [\s\S]*next +chrysalis sidecar resume/,
    )

    const resumed = await runIn(here, 'resume', ...trust())
    expect(resumed).toMatch(/^everything adds up: 0\.\d{9} TON are proven\n$/)
    const again = await serve(here, '--slice', '0.1')
    await again.sdk.chat.completions.create({ model, ...ask })
    expect((await proven(here)).halted).toBeNull()
    await stopChild(again.child, 'SIGTERM')
  })

  it('leaves without the gateway: starts to close, waits, and gets all back that is not settled', async () => {
    const alone = join(dir, '..', 'alone')
    await runIn(alone, 'open', '--gateway', stack.origin, '--deposit', '2', '--faucet', ...chain())
    const close = ['close', ...chain()]
    await expect(runIn(alone, ...close, '--start', '--finish')).rejects.toThrow(
      /--start, --finish: one at a time/,
    )
    await expect(runIn(alone, ...close, '--finish')).rejects.toThrow(/start closing first/)
    const started = await runIn(alone, ...close, '--start')
    const [, from = ''] =
      /^closing; finish it from (\S+) on: chrysalis sidecar close --finish\n$/.exec(started) ?? []
    expect(Date.parse(from)).toBeGreaterThan(Date.now())
    // Again changes nothing.
    expect(await runIn(alone, ...close, '--start')).toBe(started)
    await expect(runIn(alone, ...close, '--finish')).rejects.toThrow(/challenge period has \d+ s to go/)
    await expect(runIn(alone, 'top-up', '--amount', '1', '--faucet', ...chain())).rejects.toThrow(
      /is closing/,
    )
    const { url, token } = local()
    const network = await connectLocalChain({ url, token })
    await network.advanceTime(90_000)
    const wallet = await Wallet.open(join(alone, 'wallet'), network.globalId)
    const before = await wallet.balance(network)
    expect(await runIn(alone, ...close, '--finish')).toContain('the channel is gone')
    expect((await wallet.balance(network)) - before).toBeGreaterThan(1_990_000_000n)
  })
})
