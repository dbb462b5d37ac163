/** Gateway and worker on a network that is only reached through two providers, which misbehave. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../attest/cli/config.ts'
import { FAKE_NETWORK } from '../../contracts/chain/testing/network.ts'
import { World } from '../../contracts/chain/testing/world.ts'
import { Wallet } from '../../contracts/index.ts'
import { readSettings } from '../../worker/config.ts'
import { scriptedEngine } from '../../worker/engine/testing/scripted.ts'
import { silentLog } from '../../worker/log.ts'
import { type RunningWorker, runWorker } from '../../worker/run.ts'
import { type ChannelReport, readAccess } from '../cli/channel.ts'
import { ledger } from '../cli/ledger.ts'
import { runHere } from '../cli/testing/command.ts'
import { gatewaySchema } from '../config.ts'
import { callControl } from '../control/index.ts'
import { type RunningGateway, startGateway } from '../server.ts'
import { TreasuryKeys } from '../treasury/index.ts'
import { chrysalis, startChrysalis, stopCommands } from './command.ts'
import { bodyOf, type ReceiptBody, stopChild } from './stack.ts'

const TON = 1_000_000_000n
const KEYS = { one: 'sesame-of-the-first', other: 'sesame-of-the-second' }
/** A price at which one answer is worth its settlement. */
const PRICE = '10000000000000'

let dir: string
let world: World
let stopLife: () => void
let gateway: RunningGateway
let worker: RunningWorker
let log = ''

const gatewayFolder = () => join(dir, 'gateway')
const configOf = (argv: string[]) =>
  loadConfig({ name: 'gateway', summary: '', schema: gatewaySchema }, { argv, env: {} })
const write = (line: string) => {
  log += line
}
const sink = pino({ level: 'debug' }, { write })

function networkArgs(network: string): string[] {
  const { one, other } = world
  return [
    ...['--network', network, '--chain-provider', `${one.endpoint},${other.endpoint}`],
    ...['--chain-key-file', `${join(dir, 'one')},${join(dir, 'other')}`],
  ]
}
const privateNetwork = () => networkArgs(join(dir, 'network.json'))
const gatewayArgs = (chain: string[]) => [
  ...['--port', '0', '--data', gatewayFolder(), '--tee-dir', join(dir, 'tee'), '--tee', 'simulated'],
  ...['--price-prompt', PRICE, ...chain],
]
const startWorker = (chain: string[]) =>
  runWorker(
    readSettings({
      argv: ['--gateway-url', `${gateway.url.replace('http', 'ws')}/link`, '--data', dir, ...chain],
      env: {},
    }),
    {
      log: silentLog,
      onFatal: (error) => expect.fail(String(error)),
      startEngine: async () => scriptedEngine(),
    },
  )

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-network-'))
  writeFileSync(join(dir, 'network.json'), JSON.stringify(FAKE_NETWORK))
  for (const [name, key] of Object.entries(KEYS)) writeFileSync(join(dir, name), key, { mode: 0o600 })
  world = await World.start(Math.floor(Date.now() / 1000))
  stopLife = world.live(100)
  mkdirSync(gatewayFolder(), { mode: 0o700 })
}, 60_000)
afterAll(async () => {
  await stopCommands()
  await gateway?.stop(0)
  await worker?.close(0)
  stopLife()
  await world.close()
  rmSync(dir, { recursive: true, force: true })
}, 60_000)

const channels = async (verb = 'status') =>
  (await callControl(readAccess(dir), `channel/${verb}`)) as ChannelReport

/** Asks one question; @returns what was charged */
async function ask(): Promise<bigint> {
  const key = readFileSync(join(gatewayFolder(), 'api-key'), 'utf8').trim()
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = { model: 'chrysalis/scripted', messages: [{ role: 'user', content: 'Good morning' }] }
  const url = `${gateway.url}/v1/chat/completions`
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'Hello world!' } }] })
  const id = response.headers.get('chrysalis-receipt')
  const receipt = await fetch(`${gateway.url}/v1/receipts/${id}`, { headers })
  return BigInt((await bodyOf<ReceiptBody>(receipt)).charged)
}

describe('a simulated enclave', () => {
  it.each(['mainnet', 'testnet'])('asks nobody about %s', async (network) => {
    const before = world.one.requests.length + world.other.requests.length
    const config = configOf(gatewayArgs(networkArgs(network)))
    await expect(startGateway(config, sink)).rejects.toMatchObject({ code: 'ERR_SIMULATED_NETWORK' })
    const settings = readSettings({ argv: ['--data', join(dir, network), ...networkArgs(network)], env: {} })
    const around = { log: silentLog, onFatal: () => {}, startEngine: async () => scriptedEngine() }
    await expect(runWorker(settings, around)).rejects.toMatchObject({ code: 'ERR_SIMULATED_NETWORK' })
    expect(world.one.requests.length + world.other.requests.length).toBe(before)
  })
})

describe('on a network of two providers', () => {
  it('a gateway whose wallets are empty serves, without a channel of its own', async () => {
    const running = await startGateway(configOf(gatewayArgs(privateNetwork())), sink)
    expect(running.channel).toBeUndefined()
    expect(log).toContain('no channel of our own')
    const terms = await bodyOf<{ network?: string }>(await fetch(`${running.url}/v1/payment`))
    expect(JSON.stringify(terms)).toContain(`tvm:${FAKE_NETWORK.globalId}`)
    await running.stop(0)
  }, 120_000)

  it('one with money opens its channel and the worker’s, answers, and settles what it charged', async () => {
    const keys = await TreasuryKeys.open(join(gatewayFolder(), 'keys'), FAKE_NETWORK.globalId)
    for (const { address } of [keys.gateway, keys.payer]) await world.network.fund(address, 100n * TON)
    gateway = await startGateway(configOf(gatewayArgs(privateNetwork())), sink)
    expect(gateway.channel).toBeTypeOf('string')
    worker = await startWorker(privateNetwork())
    await worker.ready
    const charged = await ask()
    expect(charged).toBeGreaterThan(0n)
    const settled = (await channels('settle')).channels
    expect(settled.find(({ role }) => role === 'client')).toMatchObject({
      charged: String(charged),
      settled: String(charged),
    })
    expect(settled.find(({ role }) => role === 'worker')).toMatchObject({ deposited: String(5n * TON) })
  }, 240_000)

  it('it answers and charges while they fail, and settles when one needs several attempts', async () => {
    const before = (await channels()).channels.find(({ role }) => role === 'client')
    world.one.always = { kind: 'status', status: 502 }
    world.other.always = { kind: 'cut' }
    const charged = await ask()
    world.one.always = undefined
    world.other.always = undefined
    world.one.faults.push({ kind: 'status', status: 500 }, { kind: 'truncate' })
    world.other.faults.push({ kind: 'cut' }, { kind: 'status', status: 429, retryAfter: '1' })
    const after = (await channels('settle')).channels.find(({ role }) => role === 'client')
    expect(BigInt(after?.settled ?? 0)).toBe(BigInt(before?.settled ?? 0) + charged)
  }, 240_000)

  it('it answers while one shows another state, and moves no money by it', async () => {
    world.one.lie = (method, result) =>
      method === 'getAddressInformation' ? { ...(result as object), balance: '1' } : result
    const charged = await ask()
    expect(charged).toBeGreaterThan(0n)
    const sent = () => world.one.requests.filter(({ method }) => method === 'sendBoc').length
    const before = sent()
    await expect(channels('settle')).rejects.toMatchObject({ code: 'ERR_CHAIN_DISAGREEMENT' })
    expect(sent()).toBe(before)
    world.one.lie = undefined
    const report = await channels('settle')
    const client = report.channels.find(({ role }) => role === 'client')
    expect(client?.settled).toBe(client?.charged)
  }, 240_000)

  it('a user opens a channel to it, pays, tops up and closes, each step by both providers', async () => {
    const data = join(dir, 'user')
    const wallet = await Wallet.open(join(dir, 'user-wallet'), FAKE_NETWORK.globalId)
    await world.network.fund(wallet.address, 100n * TON)
    const run = (...args: string[]) => chrysalis(...args, '--data', data)
    const paying = [...privateNetwork(), '--wallet', join(dir, 'user-wallet')]
    const open = ['sidecar', 'open', '--gateway', gateway.url, '--deposit', '20', '--slice', '5', ...paying]
    await expect(run(...open, '--faucet')).rejects.toThrow(/--faucet: only the local chain has one/)
    expect(await run(...open)).toContain('is open with 20.000000000 TON')
    expect(await run('sidecar', 'top-up', '--amount', '2.5', ...paying)).toBe(
      'the deposit is 22.500000000 TON now\n',
    )

    const trust = ['--policy', 'simulated', '--root', join(dir, 'tee', 'root.der'), '--slice', '5']
    const limits = ['--max-price-prompt', PRICE, ...trust]
    const { ready, child } = await startChrysalis<{ url: string }>(
      'sidecar',
      '--data',
      data,
      '--port',
      '0',
      ...limits,
    )
    const key = readFileSync(join(data, 'api-key'), 'utf8').trim()
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ model: 'chrysalis/scripted', messages: [{ role: 'user', content: 'Hi' }] })
    const answer = await fetch(`${ready.url}/chat/completions`, { method: 'POST', headers, body })
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: 'Hello world!' } }] })
    await stopChild(child, 'SIGTERM')

    const [channel] = JSON.parse(await run('channel', 'list', ...privateNetwork(), '--json')).channels
    expect(channel).toMatchObject({ state: 'open', deposited: String((TON * 45n) / 2n), halted: null })
    const closed = await run('sidecar', 'close', ...limits, ...paying)
    const [, got = ''] = /^closed: the gateway got (\d+\.\d{9}) TON/.exec(closed) ?? []
    expect(BigInt(got.replace('.', ''))).toBeGreaterThan(0n)
    const [gone] = JSON.parse(await run('channel', 'list', ...privateNetwork(), '--json')).channels
    expect(gone).toMatchObject({ state: 'closed', proven: BigInt(got.replace('.', '')).toString() })
  }, 240_000)

  it('the ledger of a gateway that does not run is held against both', async () => {
    await gateway.stop(0)
    const { status, stdout } = await runHere(
      ledger,
      ...['verify', '--data', dir, '--json', '--chain', ...privateNetwork()],
    )
    expect([status, JSON.parse(stdout)]).toMatchObject([
      0,
      { report: { differences: 0, channels: 3, onChain: 3 } },
    ])
    // Vouchers are signed for a network: those of another one are none.
    const elsewhere = await runHere(ledger, 'verify', '--data', dir, '--network', 'testnet')
    expect(elsewhere).toMatchObject({ status: 1, stdout: expect.stringContaining('difference') })
  }, 240_000)

  it('each provider got its own key and never the other’s, and no log holds either', () => {
    const seen = (requests: { apiKey: string | undefined }[]) => [
      ...new Set(requests.map(({ apiKey }) => apiKey)),
    ]
    expect(seen(world.one.requests)).toEqual([KEYS.one])
    expect(seen(world.other.requests)).toEqual([KEYS.other])
    expect(log).not.toContain('sesame')
  })
})
