import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, internal } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Wallet } from '../../wallet/wallet.ts'
import { PRICES_2026_06 } from '../prices.ts'
import { connectLocalChain, type LocalChain } from './client.ts'
import { MAX_REQUEST_BYTES } from './protocol.ts'
import { type LocalChainServer, startLocalChainServer } from './server.ts'

const TON = 1_000_000_000n
const token = randomBytes(32).toString('hex')
const someone = new Address(0, Buffer.alloc(32, 5))

describe('local chain server', () => {
  let dir: string
  let server: LocalChainServer
  let chain: LocalChain
  let clock = 1_790_000_000_000

  const start = () => startLocalChainServer({ dir: join(dir, 'chain'), port: 0, token, clock: () => clock })

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'chrysalis-chain-'))
    server = await start()
    chain = await connectLocalChain({ url: server.url, token })
  })

  afterAll(async () => {
    await server.close()
    await rm(dir, { recursive: true, force: true })
  })

  const post = (route: string, body: string, headers: Record<string, string> = {}) =>
    fetch(server.url + route, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    })
  const codeOf = async (response: Response) =>
    ((await response.json()) as { error?: { code: string } }).error?.code

  it('has its private network id and the clock of the machine', async () => {
    expect(chain.globalId).toBe(-217)
    expect(await chain.now()).toBe(1_790_000_000)
  })

  it('shows the fee parameters that it runs on', async () => {
    const { storage, gas, forward } = PRICES_2026_06
    expect(await chain.prices()).toEqual({ storage, gas, forward })
  })

  it('funds, sends, runs get methods, and conserves every nanoton', async () => {
    const wallet = Wallet.fromSeed(randomBytes(32), chain.globalId)
    expect(await chain.account(wallet.address)).toMatchObject({ state: 'none', balance: 0n, code: null })
    await chain.fund(wallet.address, 10n * TON)
    await wallet.send(chain, [internal({ to: someone, value: TON, bounce: false })])
    expect((await chain.account(someone)).balance).toBe(TON)
    expect(await wallet.seqno(chain)).toBe(1)
    expect((await chain.account(wallet.address)).lastLt).toBeGreaterThan(0n)
    const audit = await chain.audit()
    expect(audit.total).toBe(audit.genesis)
    expect(audit.burned).toBeGreaterThan(0n)
  })

  it('keeps state and clock over a restart', async () => {
    const before = { audit: await chain.audit(), balance: (await chain.account(someone)).balance }
    const later = await chain.advanceTime(3600)
    expect(later).toBe(1_790_003_600)
    await server.close()
    server = await start()
    chain = await connectLocalChain({ url: server.url, token })
    expect({ audit: await chain.audit(), balance: (await chain.account(someone)).balance }).toEqual(before)
    expect(await chain.now()).toBe(later)
  })

  it('never turns its clock back', async () => {
    await chain.fund(someone, 1n)
    const now = await chain.now()
    clock -= 1_000_000
    expect(await chain.now()).toBe(now)
    expect(await chain.advanceTime(10)).toBe(now + 10)
    clock += 1_000_000
  })

  it('wants its token, JSON, POST and a known route', async () => {
    for (const authorization of ['', 'Bearer ', `Bearer ${token}x`, `bearer ${token}`]) {
      const response = await post('/info', '{}', { authorization })
      expect([response.status, await codeOf(response)]).toEqual([401, 'ERR_CHAIN_UNAUTHORIZED'])
    }
    await expect(connectLocalChain({ url: server.url, token: 'x' })).rejects.toMatchObject({
      code: 'ERR_CHAIN_UNAUTHORIZED',
    })
    expect((await post('/nothing', '{}')).status).toBe(404)
    expect((await post('/__proto__', '{}')).status).toBe(404)
    const get = await fetch(`${server.url}/info`, { headers: { authorization: `Bearer ${token}` } })
    expect(get.status).toBe(404)
    expect(await codeOf(await post('/info', '{}', { 'content-type': 'text/plain' }))).toBe(
      'ERR_CHAIN_REQUEST',
    )
    expect(await codeOf(await post('/info', '{'))).toBe('ERR_CHAIN_REQUEST')
    expect(await codeOf(await post('/info', '{"x":1}'))).toBe('ERR_CHAIN_REQUEST')
  })

  it('bounds and checks every request', async () => {
    const large = await post('/send', JSON.stringify({ boc: 'A'.repeat(MAX_REQUEST_BYTES) }))
    expect([large.status, await codeOf(large)]).toEqual([413, 'ERR_CHAIN_TOO_LARGE'])
    const address = someone.toRawString()
    for (const [route, body] of [
      ['/account', { address: 'EQ' }],
      ['/account', { address: `${address}0` }],
      ['/fund', { address, amount: '-1' }],
      ['/fund', { address, amount: '0x10' }],
      ['/fund', { address, amount: 5 }],
      ['/advance', { seconds: 0 }],
      ['/advance', { seconds: 1.5 }],
      ['/advance', { seconds: 1e12 }],
      ['/get', { address, method: 'a b', args: '' }],
      ['/get', { address, method: 'seqno', args: 'AAAA' }],
      ['/send', { boc: '***' }],
    ] as const) {
      const response = await post(route, JSON.stringify(body))
      expect([route, response.status, await codeOf(response)]).toEqual([route, 400, 'ERR_CHAIN_REQUEST'])
    }
    await expect(chain.send(Buffer.from('not a boc'))).rejects.toMatchObject({ code: 'ERR_CHAIN_REJECTED' })
    await expect(chain.get(someone, 'seqno')).rejects.toMatchObject({ code: 'ERR_CHAIN_GET_METHOD' })
    await expect(chain.fund(someone, 10n ** 25n)).rejects.toMatchObject({ code: 'ERR_CHAIN_FAUCET' })
  })

  it('serves callers at the same time, one change after another', async () => {
    const before = (await chain.account(someone)).balance
    await Promise.all(Array.from({ length: 20 }, () => chain.fund(someone, TON)))
    // Some nanotons go to the rent of the account.
    expect((await chain.account(someone)).balance - before).toBeGreaterThan(20n * TON - 10_000n)
  })

  it('refuses damaged state instead of guessing, and leaves it alone', async () => {
    const folder = join(dir, 'damaged')
    const first = await startLocalChainServer({ dir: folder, port: 0, token })
    await first.close()
    expect(await readdir(folder)).toEqual(['lock.sqlite', 'state.json'])
    const file = join(folder, 'state.json')
    const damaged = (await readFile(file, 'utf8')).replace('"burned":"0"', '"burned":"1"')
    await writeFile(file, damaged)
    const again = startLocalChainServer({ dir: folder, port: 0, token })
    await expect(again).rejects.toMatchObject({ code: 'ERR_CHAIN_STATE' })
    expect(await readFile(file, 'utf8')).toBe(damaged)
  })

  it('refuses a second server on its folder, and lets the next one wait for its end', async () => {
    const folder = join(dir, 'locked')
    const first = await startLocalChainServer({ dir: folder, port: 0, token })
    const second = startLocalChainServer({ dir: folder, port: 0, token })
    await expect(second).rejects.toMatchObject({ code: 'ERR_CHAIN_LOCKED' })
    const patient = startLocalChainServer({ dir: folder, port: 0, token, lockWaitMs: 60_000 })
    await first.close()
    await (await patient).close()
  })

  it('says so when its port is taken, and when its token is too short', async () => {
    const port = Number(new URL(server.url).port)
    const taken = startLocalChainServer({ dir: join(dir, 'second'), port, token })
    await expect(taken).rejects.toMatchObject({ code: 'ERR_CHAIN_PORT_IN_USE' })
    const short = startLocalChainServer({ dir: join(dir, 'third'), port: 0, token: 'short' })
    await expect(short).rejects.toMatchObject({ code: 'ERR_CHAIN_TOKEN' })
  })

  it('reports an unreachable chain', async () => {
    const gone = connectLocalChain({ url: 'http://127.0.0.1:9', token })
    await expect(gone).rejects.toMatchObject({ code: 'ERR_CHAIN_UNREACHABLE' })
  })
})
