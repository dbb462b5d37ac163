import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Address } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Chain, LOCAL_GLOBAL_ID } from '../../contracts/index.ts'
import { callControl, ledgerVerbs, serveControl } from '../control/index.ts'
import { Ledger } from '../ledger/index.ts'
import { TestBooks } from '../ledger/testing/books.ts'
import { ledger as command } from './ledger.ts'
import { chrysalis, runHere } from './testing/command.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-verify-'))
const file = join(dir, 'gateway', 'ledger.sqlite')
const books = new TestBooks()
const open = () => Ledger.open({ file, now: Date.now, signVoucher: books.signVoucher })

/** A chain that knows of no account at all. */
const empty: Pick<Chain, 'globalId' | 'account'> = {
  globalId: LOCAL_GLOBAL_ID,
  account: async () => ({ state: 'none', balance: 0n, code: null, data: null, lastLt: 0n }),
}

beforeAll(async () => {
  mkdirSync(join(dir, 'gateway'))
  const ledger = await open()
  await books.fill(ledger)
  await ledger.close()
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const RIGHT = '18 entries, 8 requests with their receipts, 8 vouchers and 3 channels: no difference\n'

/** Runs `work` while a server that has the ledger open can be asked. */
async function whileServed(
  work: (access: { url: string; token: string }, ledger: Ledger) => Promise<void>,
): Promise<void> {
  const ledger = await open()
  const control = await serveControl(ledgerVerbs(ledger, empty as Chain))
  const access = join(dir, 'gateway', 'control.json')
  writeFileSync(access, JSON.stringify({ url: control.url, token: control.token }))
  try {
    await work(control, ledger)
  } finally {
    rmSync(access)
    await control.close()
    await ledger.close()
  }
}

describe('chrysalis ledger verify', () => {
  it('looks over the file of a server that does not run', async () => {
    expect(await chrysalis('ledger', 'verify', '--data', dir)).toEqual({
      status: 0,
      stdout: RIGHT,
      stderr: '',
    })
  })

  it('has a running server look, and compares with the chain when told to', async () => {
    await whileServed(async () => {
      expect(await runHere(command, 'verify', '--data', dir)).toEqual({
        status: 0,
        stdout: RIGHT,
        stderr: '',
      })
      const { status, stdout } = await runHere(command, 'verify', '--data', dir, '--chain', '--json')
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(status).toBe(1)
      expect(lines).toHaveLength(4)
      expect(lines[0].difference.problem).toBe('the chain has it no more, and here it is open')
      expect(lines[3].report).toMatchObject({ differences: 3, onChain: 3 })
    })
  })

  it('finds an access file that a killed server left behind, and looks itself', async () => {
    const control = await serveControl({})
    await control.close()
    const access = join(dir, 'gateway', 'control.json')
    writeFileSync(access, JSON.stringify({ url: control.url, token: control.token }))
    expect((await runHere(command, 'verify', '--data', dir)).stdout).toBe(RIGHT)
    rmSync(access)
  })

  it('lists every difference, clean of control characters, and exits with 1', async () => {
    const damaged = new DatabaseSync(file)
    damaged.exec(`update receipts set digest = 'x' where digest = (select min(digest) from receipts);
      update requests set request_id = 'a' || char(27) || '[2J' where request_id = 'a'`)
    damaged.close()
    const { status, stdout } = await chrysalis('ledger', 'verify', '--data', dir)
    expect(status).toBe(1)
    expect(stdout).not.toContain('\u001b')
    expect(stdout).toContain('request a?[2J: the request of its receipt is a, and should be a?[2J\n')
    expect(stdout).toMatch(/request \S+: the digest of its receipt is x, and should be [0-9a-f]{64}\n/)
    expect(stdout).toMatch(/: 2 differences\n$/)
    const json = await runHere(command, 'verify', '--data', dir, '--json')
    expect(json.stdout.trim().split('\n')).toHaveLength(3)
  })

  it('says why it cannot look', async () => {
    const nowhere = await runHere(command, 'verify', '--data', join(dir, 'nowhere'))
    expect(nowhere).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no ledger') })
    const noChain = await runHere(command, 'verify', '--data', dir, '--chain')
    expect(noChain).toMatchObject({ status: 2, stderr: expect.stringContaining('has no local chain') })
    const unasked = await runHere(command, 'verify', '--data', dir, '--chain-url', 'http://127.0.0.1:1')
    expect(unasked).toMatchObject({ status: 2, stderr: expect.stringContaining('say --chain, too') })
    const argv = ['verify', '--data', dir, '--network', join(dir, 'nowhere.json')]
    const noNetwork = await runHere(command, ...argv)
    expect(noNetwork).toMatchObject({ status: 2, stderr: expect.stringContaining('setting network') })
    const noProvider = await runHere(command, 'verify', '--data', dir, '--chain', '--network', 'testnet')
    expect(noProvider).toMatchObject({ status: 2, stderr: expect.stringContaining('chainProvider') })
    const noFile = join(dir, 'no-such-file')
    const nowhereElse = await runHere(command, 'verify', '--data', dir, '--ledger-postgres-file', noFile)
    expect(nowhereElse).toMatchObject({ status: 2, stderr: expect.stringContaining('no connection string') })
    const ledger = await open()
    const locked = await runHere(command, 'verify', '--data', dir)
    expect(locked).toMatchObject({ status: 1, stderr: expect.stringContaining('in use by another process') })
    await ledger.close()
  })
})

describe('chrysalis ledger unfreeze', () => {
  it('lets a channel go on, by any notation of its address', async () => {
    await whileServed(async (_, ledger) => {
      const { id } = books.delegated
      await ledger.freeze(id, 'the chain has settled more')
      const address = Address.parse(id).toString()
      expect(await runHere(command, 'unfreeze', address, '--data', dir)).toEqual({
        status: 0,
        stdout: `${address} takes requests again\n`,
        stderr: '',
      })
      expect(await ledger.channelState(id)).toMatchObject({ frozen: null })
      const wrong = await runHere(command, 'unfreeze', 'nowhere', '--data', dir)
      expect(wrong).toMatchObject({ status: 1, stderr: 'channel: expected an address of TON\n' })
      const none = await runHere(command, 'unfreeze', '--data', dir)
      expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining('say which channel') })
    })
  })
})

describe('the verbs', () => {
  it('are told to whoever asks', async () => {
    for (const flag of ['--help', '-h']) {
      const { status, stdout } = await runHere(command, flag)
      expect(status).toBe(0)
      for (const verb of ['verify', 'unfreeze']) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'))
    }
  })

  it('verify one ledger at a time, and answer about that one', async () => {
    await whileServed(async (access) => {
      const { job } = (await callControl(access, 'ledger/verify')) as { job: string }
      await expect(callControl(access, 'ledger/verify')).rejects.toMatchObject({ code: 'ERR_CONTROL_BUSY' })
      await expect(callControl(access, 'ledger/verify/next', { job: 'x' })).rejects.toMatchObject({
        code: 'ERR_CONTROL_INPUT',
      })
      const next = () => callControl(access, 'ledger/verify/next', { job }) as Promise<{ report?: object }>
      while (!(await next()).report);
      expect(await callControl(access, 'ledger/verify')).not.toEqual({ job })
    })
  })
})
