/** `chrysalis channel` as people use it: shown a link, they pay from a wallet elsewhere; real processes, chain, evidence. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Address, type MessageRelaxed } from '@ton/core'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatTon, formatUsd, parseUsdRate } from '../../contracts/amount.ts'
import { connectLocalChain, type LocalChain, Wallet } from '../../contracts/index.ts'
import type { orderJson } from '../cli/channel-order.ts'
import { svgQr } from '../fund/index.ts'
import { messageOfLink, messagesOfRequest } from '../fund/testing/link-wallet.ts'
import { channelStatus, workerChannel } from './money.ts'
import { cleanUp, ROOT, type Stack, startStack, stopChild, temporaryFolder } from './stack.ts'

const TON = 1_000_000_000n
const LAUNCH = 'gateway/cli/launch.mjs'

let stack: Stack
let chain: LocalChain
let wallet: Wallet
let dir: string
beforeAll(async () => {
  stack = await startStack()
  dir = join(await temporaryFolder(), 'mine')
  chain = await connectLocalChain({
    url: readFileSync(join(stack.dir, 'chain/url'), 'utf8').trim(),
    token: readFileSync(join(stack.dir, 'chain/token'), 'utf8').trim(),
  })
  wallet = Wallet.fromSeed(Buffer.alloc(32, 21), chain.globalId)
  await chain.fund(wallet.address, 10n * TON)
})
const running: ChildProcess[] = []
afterAll(async () => {
  for (const child of running) await stopChild(child, 'SIGTERM')
  await cleanUp()
})

const trust = () => ['--policy', 'simulated', '--root', join(stack.dir, 'tee', 'root.der')]
const onChain = () => [
  ...['--chain-url', readFileSync(join(stack.dir, 'chain', 'url'), 'utf8').trim()],
  ...['--chain-token-file', join(stack.dir, 'chain', 'token')],
]

async function run(...args: string[]): Promise<string> {
  const data = args.includes('--data') ? [] : ['--data', dir]
  const { stdout } = await promisify(execFile)(process.execPath, [LAUNCH, ...args, ...data], { cwd: ROOT })
  return stdout
}

/** Starts a command and gives its lines as they come. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [LAUNCH, ...args, '--data', dir], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`ended: ${stderr}`)
    return value
  }
  return { child, line }
}

type Order = ReturnType<typeof orderJson>

/** Runs a command that asks for a transfer, and makes it. @returns the last line of the command */
async function pay(
  messages: (order: Order & { page?: string }) => MessageRelaxed[] | Promise<MessageRelaxed[]>,
  ...args: string[]
) {
  const { line, child } = start('channel', ...args, ...onChain(), '--json')
  const exited = once(child, 'exit')
  const order: Order = JSON.parse(await line())
  expect(order).toMatchObject({ event: 'pay', from: wallet.address.toRawString() })
  await wallet.send(chain, await messages(order))
  const last = JSON.parse(await line())
  expect((await exited)[0]).toBe(0)
  expect(last).toMatchObject({ event: 'done', channel: order.channel })
  return last as { channel: string; deposited: string }
}

/** The TON Connect request that a person copies from a page. */
function requestOn(page: string): Order['tonConnect'] {
  expect(page).toContain('Close a payment channel')
  expect(page).toMatch(/gas<\/th><td>0\.020000000 TON \(0\.040000 USD\)/)
  const [, text = ''] = /<pre id="ton-connect">([^<]+)</.exec(page) ?? []
  return JSON.parse(text.replaceAll('&quot;', '"'))
}

const payer = () => ['--payer', wallet.address.toString({ bounceable: false, testOnly: true })]
const listed = async () =>
  JSON.parse(await run('channel', 'list', ...onChain(), '--json')).channels as Record<string, unknown>[]

it('link, deposit, answer, top-up, books, close: all from a wallet that has no key here', async () => {
  const opened = await pay(
    ({ link }) => [messageOfLink(link)],
    ...['open', '--gateway', stack.origin, '--deposit', '1', ...payer()],
  )
  expect(opened.deposited).toBe(String(TON))

  const { line, child } = start('sidecar', '--port', '0', '--json', ...trust())
  const { url } = JSON.parse(await line())
  const apiKey = readFileSync(join(dir, 'api-key'), 'utf8').trim()
  const sdk = new OpenAI({ baseURL: url, apiKey, maxRetries: 0 })
  const answer = await sdk.chat.completions.create({
    model: stack.ready.models[0] ?? '',
    messages: [{ role: 'user', content: 'Hello' }],
  })
  expect(answer.choices[0]?.message.content).not.toBe('')
  await stopChild(child, 'SIGTERM')

  let again = ''
  const topUp = ({ tonkeeper }: Order) => {
    again = tonkeeper
    return [messageOfLink(tonkeeper)]
  }
  const added = await pay(topUp, 'top-up', '--amount', '0.5')
  expect(added.deposited).toBe(String((TON * 3n) / 2n))
  expect(await listed()).toMatchObject([
    {
      address: opened.channel,
      state: 'open',
      deposited: String((TON * 3n) / 2n),
      settled: '0',
      halted: null,
    },
  ])

  // Paid once more, while nobody waits.
  await wallet.send(chain, [messageOfLink(again)])
  const before = await wallet.balance(chain)
  let status = Promise.resolve('')
  const byPage = async ({ page = '' }) => {
    status = (await fetch(`${page}events`)).text()
    return messagesOfRequest(requestOn(await (await fetch(page)).text()))
  }
  await pay(byPage, 'close', '--page', '--usd', '2', ...trust())
  expect(await status).toMatch(
    /^data: {"step":"waiting"[\s\S]*\ndata: {"step":"final","text":"channel \S+: closed: /,
  )
  expect(await wallet.balance(chain)).toBeGreaterThan(before + TON)
  const [gone] = await listed()
  expect(gone).toMatchObject({ state: 'closed', secondsLeft: null })

  const books: { kind: string; ton: string; usd: string; receipt: string }[] = JSON.parse(
    await run('channel', 'export', '--format', 'json', '--usd', '2'),
  )
  const sum = (kind: string) =>
    books
      .filter((each) => each.kind === kind)
      .reduce((all, { ton }) => all + BigInt(ton.replace('.', '')), 0n)
  expect(sum('deposit')).toBe(2n * TON)
  expect(sum('charge')).toBe(BigInt(String(gone?.proven)))
  expect(sum('charge')).toBeGreaterThan(0n)
  expect(sum('payee')).toBe(sum('charge'))
  expect(sum('returned')).toBe(sum('deposit') - sum('payee'))
  expect(books.find(({ kind }) => kind === 'charge')?.receipt).toMatch(/^[0-9a-f]{64}$/)
  expect(books.find(({ kind }) => kind === 'deposit')).toMatchObject({ ton: '1.000000000', usd: '2.000000' })
  const csv = await run('channel', 'export')
  expect(csv.trimEnd().split('\n')).toHaveLength(books.length + 1)
  expect(csv).toMatch(/^time,kind,channel,gateway,ton,request,path,receipt\n/)
})

it('shows a person what to do and what it means, and finds a payment that nobody waited for', async () => {
  const open = ['channel', 'open', '--gateway', stack.origin, '--deposit', '2', '--usd', '3', ...onChain()]
  const first = start(...open, ...payer(), '--qr', join(dir, 'qr.svg'))
  let text = ''
  while (!text.includes('Waiting')) text += `${await first.line()}\n`
  const [link = ''] = /ton:\/\/transfer\/\S+/.exec(text) ?? []
  expect(text).toContain('deposit  2.000000000 TON (6.000000 USD)')
  expect(text).toContain('Prices, TON (USD) for a million tokens')
  expect(text.replaceAll('\n', ' ')).toContain('nobody else has it')
  expect(readFileSync(join(dir, 'qr.svg'), 'utf8')).toBe(svgQr(link))
  await stopChild(first.child, 'SIGKILL')
  await wallet.send(chain, [messageOfLink(link)])

  // Another amount this time: what is there counts.
  const said = await run(...open, '--deposit', '3', ...payer())
  expect(said).not.toContain('ton://')
  expect(said).toContain('the channel is open')
  expect(said).toContain('deposit 2.000000000 TON (6.000000 USD), as the chain shows it')
  const [address = ''] = /channel (\S+):/.exec(said) ?? []
  expect(Address.parse(/transfer\/([^?]+)/.exec(link)?.[1] ?? '').toString()).toBe(
    Address.parse(address.slice('channel '.length, -1)).toString(),
  )
  expect(await run('channel', 'list', ...onChain())).toContain(`${address.slice(0, -1)} (open)`)
})

it('tells the prices before anything is paid, by address or of the channel that is there', async () => {
  const asked = ['channel', 'prices', '--gateway', stack.origin]
  const { models } = JSON.parse(await run(...asked, '--json')) as { models: Record<string, string>[] }
  const [tiny = {}] = models
  expect(tiny).toMatchObject({ model: stack.ready.models[0] })
  expect(BigInt(tiny.prompt ?? 0)).toBeGreaterThan(0n)
  const inTon = formatTon(BigInt(tiny.prompt ?? 0))
  const text = await run(...asked)
  expect(text).toMatch(
    /^Prices, TON for a million tokens\n {2}model +prompt +cached +completion +reasoning\n/,
  )
  expect(text).toContain(`${tiny.model}  ${inTon}  `)
  // Of the channel that was opened last.
  const usd = formatUsd(BigInt(tiny.prompt ?? 0), parseUsdRate('3'))
  expect(await run('channel', 'prices', '--usd', '3')).toContain(`${tiny.model}  ${inTon} (${usd})  `)
  await expect(run('channel', 'prices', '--data', join(dir, 'nothing'))).rejects.toThrow(
    /--gateway URL: say which gateway, as there is no channel in/,
  )
  await expect(run('channel', 'prices', '--usd', 'much')).rejects.toThrow(
    /rate: expected dollars for one TON/,
  )
  await expect(
    run('channel', 'prices', '--gateway', stack.origin.replace('127.0.0.1', 'gateway.example')),
  ).rejects.toThrow(/plain http/)
})

it('leaves without the gateway, and pays from a wallet file', async () => {
  const file = join(dir, 'file')
  const own = await Wallet.open(file, chain.globalId)
  await chain.fund(own.address, 5n * TON)
  const from = ['--from-wallet', file, ...onChain()]
  expect(await run('channel', 'open', '--gateway', stack.origin, '--deposit', '1', ...from)).toContain(
    'is open',
  )
  expect(await run('channel', 'close', '--start-close', ...from)).toContain('--finish')
  expect((await listed()).filter(({ state }) => state === 'closing')).toHaveLength(1)
  await expect(run('channel', 'close', '--finish', ...from)).rejects.toThrow(
    /challenge period has \d+ s to go/,
  )
  await chain.advanceTime(90_000)
  expect(await run('channel', 'close', '--finish', ...from)).toContain('is gone')
  // The server's own verbs are what they were.
  expect(workerChannel(await channelStatus(stack)).state).toBe('open')
})

it('gets a bare API key for a deposit: interrupted, gone on with, used, raised, closed', async () => {
  const open = ['channel', 'open', '--delegated', '--gateway', stack.origin, '--deposit', '1', ...payer()]
  const first = start(...open, ...onChain(), '--json')
  const order: Order = JSON.parse(await first.line())
  await stopChild(first.child, 'SIGKILL')
  await wallet.send(chain, [messageOfLink(order.link)])
  const done = JSON.parse(await run(...open, ...onChain(), '--json'))
  expect(done).toMatchObject({ event: 'done', channel: order.channel, deposited: String(TON) })
  const { apiKey, apiKeyFile } = done as { apiKey: string; apiKeyFile: string }
  expect(readFileSync(apiKeyFile, 'utf8').trim()).toBe(apiKey)
  expect(statSync(apiKeyFile).mode & 0o777).toBe(0o600)

  const sdk = new OpenAI({ baseURL: `${stack.origin}/v1`, apiKey, maxRetries: 0 })
  const ask = () =>
    sdk.chat.completions.create({
      model: stack.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'Hello' }],
    })
  expect((await ask()).choices[0]?.message.content).not.toBe('')
  const of = ['--channel', order.channel]
  const added = await pay(({ link }) => [messageOfLink(link)], 'top-up', '--amount', '0.5', ...of)
  expect(added.deposited).toBe(String((TON * 3n) / 2n))
  const mine = async () => (await listed()).find(({ address }) => address === order.channel)
  expect(await mine()).toMatchObject({ state: 'open', signer: 'gateway', deposited: added.deposited })
  expect(await run('channel', 'list', ...onChain())).toContain('by the gateway, for an API key')

  const before = await wallet.balance(chain)
  await pay(({ link }) => [messageOfLink(link)], 'close', ...of)
  expect(await wallet.balance(chain)).toBeGreaterThan(before + TON)
  expect(await mine()).toMatchObject({ state: 'closed' })
  await expect(ask()).rejects.toMatchObject({ status: 402 })
})

it('says what a bare API key means, shows it in the terminal alone, and has the deposit back without the gateway', async () => {
  const open = ['channel', 'open', '--delegated', '--gateway', stack.origin, '--deposit', '1', ...onChain()]
  const { line, child } = start(...open, ...payer(), '--page')
  const exited = once(child, 'exit')
  let text = ''
  while (!text.includes('Waiting')) text += `${await line()}\n`
  expect(text.replaceAll('\n', ' ')).toMatch(
    /can take the whole deposit, and no more.*keeps its key in a file/,
  )
  const page = /^page {7}(\S+)$/m.exec(text)?.[1] ?? ''
  const told = (await fetch(`${page}events`)).text()
  await wallet.send(chain, [messageOfLink(/ton:\/\/transfer\/\S+/.exec(text)?.[0] ?? '')])
  while (!text.includes('channel close')) text += `${await line()}\n`
  expect((await exited)[0]).toBe(0)
  const [apiKey = ''] = /sk-chry-[A-Za-z0-9_-]{43}/.exec(text) ?? []
  expect(apiKey).not.toBe('')
  expect(await told).toContain('its API key works')
  expect(await told).not.toContain(apiKey.slice(8))

  const of = ['--channel', /--channel (\S+)/.exec(text)?.[1] ?? '']
  await pay(({ link }) => [messageOfLink(link)], 'close', '--start-close', ...of)
  await chain.advanceTime(90_000)
  const before = await wallet.balance(chain)
  await pay(({ link }) => [messageOfLink(link)], 'close', '--finish', ...of)
  expect(await wallet.balance(chain)).toBeGreaterThan(before + (TON * 9n) / 10n)
})

it('refuses what cannot be meant', async () => {
  const open = ['channel', 'open', '--gateway', stack.origin, '--deposit', '1']
  await expect(run(...open, ...onChain())).rejects.toThrow(/--payer ADDRESS of your wallet, or --from-wallet/)
  await expect(run(...open, ...payer())).rejects.toThrow(/--chain-url and --chain-token-file/)
  await expect(run(...open, '--page', '--from-wallet', join(dir, 'file'), ...onChain())).rejects.toThrow(
    /--page, --from-wallet: one of them/,
  )
  await expect(run(...open, '--delegated', '--deposit', '101', ...payer(), ...onChain())).rejects.toThrow(
    /the gateway credits 100000000000 nanotons at most/,
  )
  await expect(run(...open, '--payer', 'me', ...onChain())).rejects.toThrow(/--payer: not an address/)
  await expect(run(...open, ...payer(), '--network', 'testnet')).rejects.toThrow(
    /chainProvider: needed with network testnet/,
  )
})
