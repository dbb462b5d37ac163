import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Address, internal } from '@ton/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ChannelClient } from '../../channel/client.ts'
import { RENT_RESERVE } from '../../channel/messages.ts'
import type { ChannelParams } from '../../channel/params.ts'
import { generateKey, rawPublicKey } from '../../voucher/keys.ts'
import { signVoucher } from '../../voucher/voucher.ts'
import { Wallet } from '../../wallet/wallet.ts'
import { connectLocalChain, type LocalChain } from './client.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const TON = 1_000_000_000n
const ROUNDS = 10

interface Running {
  child: ChildProcess
  chain: LocalChain
}

describe('local chain process', () => {
  const token = randomBytes(32).toString('hex')
  const running = new Set<ChildProcess>()
  let dir: string
  let tokenFile: string

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'chrysalis-chain-'))
    tokenFile = join(dir, 'token')
    await writeFile(tokenFile, `${token}\n`, { mode: 0o600 })
  })

  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL')
    running.clear()
  })

  afterAll(() => rm(dir, { recursive: true, force: true }))

  function launch(folder: string, env: Record<string, string> = {}): ChildProcess {
    const args = [MAIN, '--dir', join(dir, folder), '--token-file', tokenFile]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    return child
  }

  async function firstLine(stream: NodeJS.ReadableStream | null): Promise<Record<string, string>> {
    if (!stream) throw new Error('no pipe')
    const [line] = (await once(createInterface({ input: stream }), 'line')) as [string]
    return JSON.parse(line) as Record<string, string>
  }

  async function ready(folder: string, env?: Record<string, string>): Promise<Running> {
    const child = launch(folder, env)
    const line = await firstLine(child.stdout)
    expect(line).toEqual({ event: 'ready', url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) })
    return { child, chain: await connectLocalChain({ url: line.url ?? '', token }) }
  }

  async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<[number | null, string | null]> {
    const exit = once(child, 'exit') as Promise<[number | null, string | null]>
    child.kill(signal)
    return exit
  }

  it('stops cleanly on SIGTERM, and leaves SIGINT to its supervisor', async () => {
    const alone = await ready('signals')
    expect(await kill(alone.child, 'SIGTERM')).toEqual([0, null])
    const supervised = await ready('signals', { CHRYSALIS_SUPERVISED: '1' })
    supervised.child.kill('SIGINT')
    expect(await supervised.chain.now()).toBeGreaterThan(0)
    expect(await kill(supervised.child, 'SIGTERM')).toEqual([0, null])
    const interrupted = await ready('signals', { CHRYSALIS_SUPERVISED: '' })
    expect(await kill(interrupted.child, 'SIGINT')).toEqual([0, null])
  })

  it('ends with its supervisor, also with one that goes while it loads', async () => {
    for (const early of [true, false]) {
      const args = [MAIN, '--dir', join(dir, 'orphan'), '--token-file', tokenFile]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] })
      running.add(child)
      const exit = once(child, 'exit')
      if (!early) await firstLine(child.stdout)
      child.disconnect()
      expect(await exit).toEqual([0, null])
    }
  })

  it('says in one line why it does not start', async () => {
    const child = spawn(process.execPath, [MAIN, '--dir', join(dir, 'x')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [line, [code]] = await Promise.all([firstLine(child.stderr), once(child, 'exit')])
    expect([line, code]).toEqual([
      { event: 'failed', code: 'ERR_CHAIN_ARGUMENTS', message: expect.any(String) },
      1,
    ])
  })

  it('killed with SIGKILL at any moment, it comes back with everything acknowledged, balanced to the nanoton', async () => {
    const payer = Wallet.fromSeed(randomBytes(32), -217)
    const payee = Wallet.fromSeed(randomBytes(32), -217)
    const voucherKey = generateKey()
    let { child, chain } = await ready('killed')
    const params: ChannelParams = {
      payer: payer.address,
      payee: payee.address,
      voucherKey: rawPublicKey(voucherKey),
      payeeKey: rawPublicKey(generateKey()),
      challengeSeconds: 3600,
      openUntil: (await chain.now()) + 600,
      salt: randomBytes(32),
    }
    for (const wallet of [payer, payee]) await chain.fund(wallet.address, 1000n * TON)
    await new ChannelClient({ chain, params }).open(payer, 100n * TON)
    const other = new Address(0, Buffer.alloc(32, 8))
    let acknowledged = 0n
    for (let round = 0; round < ROUNDS; round++) {
      let attempted = acknowledged
      let acks = 0
      const client = new ChannelClient({ chain, params })
      const dead = once(child, 'exit')
      // After the first acknowledgement, some turns of the event loop later: another moment in every round.
      const shoot = () => {
        let turns = round * 40
        const tick = () => (turns-- > 0 ? setImmediate(tick) : child.kill('SIGKILL'))
        tick()
      }
      // Settle without pause, nanoton by nanoton, until the process is shot under the work.
      const work = (async () => {
        for (;;) {
          attempted = acknowledged + 1n
          const terms = { globalId: chain.globalId, channel: client.address, ceiling: attempted }
          await client.settle(payee, attempted, attempted, signVoucher(voucherKey, terms))
          acknowledged = attempted
          acks++
          if (acks === 1) shoot()
          await payer.send(chain, [internal({ to: other, value: 1n, bounce: false })])
        }
      })().catch((error: unknown) => error)
      expect(await work).toMatchObject({ code: 'ERR_CHAIN_UNREACHABLE' })
      await dead
      ;({ child, chain } = await ready('killed'))
      const state = await new ChannelClient({ chain, params }).state()
      expect(state?.settled).toBeGreaterThanOrEqual(acknowledged)
      expect(state?.settled).toBeLessThanOrEqual(attempted)
      expect(state?.deposited).toBe(100n * TON)
      const { balance } = await chain.account(client.address)
      expect(balance).toBeGreaterThan(100n * TON - (state?.settled ?? 0n) + RENT_RESERVE - 10_000n)
      const audit = await chain.audit()
      expect(audit.total).toBe(audit.genesis)
      acknowledged = state?.settled ?? 0n
    }
    await kill(child, 'SIGTERM')
  }, 240_000)
})
