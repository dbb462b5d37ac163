import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { parseUsdRate } from '../../contracts/amount.ts'
import { Channel } from '../../contracts/index.ts'
import { MemoryChain, TestChannel } from '../../contracts/testing.ts'
import {
  FundError,
  orderOf,
  type PaymentOrder,
  SENT,
  svgQr,
  tonConnectRequest,
  tonLink,
  WAITING,
} from '../fund/index.ts'
import { Asking, type AskingOptions } from './channel-asking.ts'
import { viewOf } from './channel-order.ts'

const TON = 1_000_000_000n

let test: TestChannel
let order: PaymentOrder
let said: string[]
beforeEach(async () => {
  test = await TestChannel.create(await MemoryChain.create())
  order = orderOf(new Channel(test.params).deploy(TON), terms())
  said = []
})

const terms = () => ({ from: test.payer.address, globalId: -239, expires: 2_000_000_000 })
const record = () => ({ gateway: 'https://gateway.example', globalId: -239, params: test.params, slice: TON })
const view = (of = order) => viewOf(of, record(), { rate: parseUsdRate('2'), data: './mine' })
const asking = (options: Partial<AskingOptions>) =>
  new Asking({ json: false, page: false, ...options }, (text) => void said.push(text))

/** What a tab is told from now on, once that has ended. */
async function told(url: string | undefined): Promise<() => Promise<unknown[]>> {
  const response = await fetch(`${url}events`)
  return async () =>
    [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data))
}

it('tells a person and the page the same, and what came of it', async () => {
  const each = asking({ page: true })
  await each.show(order, view())
  expect(said[0]).toContain('Open a payment channel')
  expect(said[0]).toContain('Send 1.030000000 TON (2.060000 USD)')
  const events = await told(/^page {7}(\S+)$/m.exec(said[0] ?? '')?.[1])
  each.sent()
  each.ended(['the channel is open', 'deposit 1'], {})
  await each.close()
  expect(said.slice(1)).toEqual([SENT.text, 'the channel is open\ndeposit 1'])
  expect(await events()).toEqual([WAITING, SENT, { step: 'final', text: 'the channel is open; deposit 1' }])
})

it('tells the page of a failure: refusals in their words, anything else without any', async () => {
  for (const [error, text] of [
    [new FundError('ERR_FUND_UNPAID', 'nobody paid'), 'nobody paid'],
    [new Error('/home/somebody/secret'), 'It failed; see the terminal.'],
  ] as const) {
    said.length = 0
    const each = asking({ page: true, json: true })
    await each.show(order, view())
    const events = await told(JSON.parse(said[0] ?? '').page)
    expect(each.failed(error)).toBe(error)
    await each.close()
    expect(await events()).toEqual([WAITING, { step: 'failed', text }])
    expect(said).toHaveLength(1)
  }
})

it('tells a program in JSON lines, writes the code to a file, and serves no page unless there is to be one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'chrysalis-asking-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const each = asking({ json: true, qr: join(dir, 'qr.svg') })
  await each.show(order, view())
  each.sent()
  each.ended(['open'], { event: 'done' })
  await each.close()
  const [pay, done, ...more] = said.map((line) => JSON.parse(line))
  expect(pay).toMatchObject({ event: 'pay', link: tonLink(order), tonConnect: tonConnectRequest(order) })
  expect(pay.page).toBeUndefined()
  expect([done, more]).toEqual([{ event: 'done' }, []])
  expect(readFileSync(join(dir, 'qr.svg'), 'utf8')).toBe(svgQr(tonLink(order)))
})

it('says what each message does', () => {
  const channel = new Channel(test.params)
  const of = (message: ReturnType<Channel['deploy']>) => view(orderOf(message, terms()))
  const names = ({ rows }: ReturnType<typeof view>) => rows.map(({ name, amount }) => `${name} ${amount}`)
  const gas = 'gas 0.020000000 TON (0.040000 USD)'

  expect(names(view())).toEqual([
    'deposit 1.000000000 TON (2.000000 USD)',
    gas,
    'rent 0.010000000 TON (0.020000 USD)',
  ])
  const topUp = of(channel.topUp(TON, 3n))
  expect(topUp.title).toBe('Add to a payment channel')
  expect(names(topUp)).toEqual([
    'deposit 1.000000000 TON (2.000000 USD)',
    gas,
    'rent 0.000000003 TON (0.000000 USD)',
  ])
  const close = of(channel.coopClose(TON / 2n, test.release(TON / 2n)))
  expect(close.title).toBe('Close a payment channel')
  expect(names(close)).toEqual(['gateway 0.500000000 TON (1.000000 USD)', gas])
  const start = of(channel.startClose())
  expect(start.title).toBe('Start to close a payment channel')
  expect(start.meaning[0]).toContain(`${test.params.challengeSeconds} s`)
  expect(of(channel.finishClose()).title).toBe('Finish closing a payment channel')
})
