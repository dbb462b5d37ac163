import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectLocalChain, Wallet } from '../../contracts/index.ts'
import { Ledger } from '../ledger/index.ts'
import { Treasury, TreasuryKeys } from './index.ts'

const CHAIN = join(import.meta.dirname, '..', '..', 'contracts', 'chain', 'local', 'main.ts')
const DRIVER = join(import.meta.dirname, 'testing', 'driver.ts')
const TOKEN = randomBytes(32).toString('hex')

let dir: string
let chain: ChildProcess | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-treasury-'))
  writeFileSync(join(dir, 'token'), TOKEN, { mode: 0o600 })
})
afterEach(async () => {
  if (chain) await killed(chain)
  rmSync(dir, { recursive: true, force: true })
})

async function killed(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** Starts the chain's process on the same folder, and gives its address. */
async function startChain(): Promise<string> {
  const args = [CHAIN, '--dir', join(dir, 'chain'), '--token-file', join(dir, 'token')]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  chain = child
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const { url } = JSON.parse(String(line))
  return url
}

/** Runs the driver and kills it when it has told `count` things. */
async function driveUntilKilled(url: string, payout: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [DRIVER, dir, url, TOKEN, payout], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const told: string[] = []
  child.on('message', (what: string) => {
    if (told.push(what) >= count) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
  return told
}

describe('gateway and chain as processes', () => {
  it('killed again and again, end with every nanoton in its place', async () => {
    let url = await startChain()
    const globalId = (await connectLocalChain({ url, token: TOKEN })).globalId
    const payout = Wallet.fromSeed(randomBytes(32), globalId).address.toString()
    const told: string[] = []
    for (const count of [1, 3, 5, 13]) {
      told.push(...(await driveUntilKilled(url, payout, count)))
      if (count !== 5 || !chain) continue
      await killed(chain)
      url = await startChain()
    }
    expect(told).toContain('settled')
    const keys = await TreasuryKeys.open(join(dir, 'keys'), globalId)
    const signVoucher = (channel: string, ceiling: bigint) => keys.signVoucher(channel, ceiling)
    const ledger = await Ledger.open({ file: join(dir, 'ledger.sqlite'), now: Date.now, signVoucher })
    const treasury = new Treasury({ chain: await connectLocalChain({ url, token: TOKEN }), keys, ledger })
    await treasury.setup()
    const { channels, balances } = await treasury.settle()
    expect(channels.map(({ role, deposited }) => [role, deposited])).toEqual([
      ['client', 10_000_000_000n],
      ['worker', 5_000_000_000n],
    ])
    expect(channels[0]?.settled).toBe(channels[0]?.charged)
    expect(balances.difference).toBe(0n)
    await ledger.audit()
    await ledger.close()
  }, 180_000)
})
