import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Page } from 'playwright-core'
import { encode } from 'uqr'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { chromiumPath, launch } from '../../../attest/browser/testing.ts'
import { Channel } from '../../../contracts/index.ts'
import { MemoryChain, TestChannel } from '../../../contracts/testing.ts'
import { orderOf, tonConnectRequest, tonkeeperLink, tonLink } from '../order.ts'
import { messagesOfRequest } from '../testing/link-wallet.ts'
import { paymentPage } from './page.ts'
import { type PaymentPage, servePaymentPage } from './server.ts'
import { type PaymentView, SENT, WAITING } from './view.ts'

const TON = 1_000_000_000n

let view: PaymentView
let page: PaymentPage
beforeEach(async () => {
  const test = await TestChannel.create(await MemoryChain.create())
  const terms = { from: test.payer.address, globalId: -239, expires: 2_000_000_000 }
  const order = orderOf(new Channel(test.params).deploy(5n * TON), terms)
  view = {
    ...{ order, title: 'Open a payment channel', gateway: 'https://gateway.example', total: '5.03 TON' },
    rows: [
      { name: 'deposit', amount: '5 TON' },
      { name: 'gas', amount: '0.02 TON', note: '<b>&' },
    ],
    prices: { unit: 'TON per million tokens', columns: ['model', 'prompt'], rows: [['a/model', '0.01']] },
    meaning: ['What it "means".'],
  }
  page = await servePaymentPage(view)
})
afterEach(() => page.close())

/** Asks as a program can that sets every header itself. */
async function ask(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request(url, { headers, method }, resolve).on('error', reject).end()
  const answer = await promise
  return { status: answer.statusCode, headers: answer.headers, text: await text(answer) }
}

/** The events of a tab, in order. */
async function* events(url: string): AsyncGenerator<unknown> {
  const response = await fetch(`${url}events`)
  if (!response.body) throw new Error('no body')
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream()))
    for (const [, data = ''] of chunk.matchAll(/^data: (.*)$/gm)) yield JSON.parse(data)
}

describe('the page', () => {
  it('says all of it, escaped, and loads nothing but its own two files', async () => {
    const { text, headers } = await ask(page.url)
    expect(text).toBe(paymentPage(view))
    for (const part of [
      'Open a payment channel',
      'https://gateway.example',
      '5.03 TON',
      '0.01',
      '&lt;b&gt;&amp;',
    ])
      expect(text).toContain(part)
    expect(text).not.toContain('<b>')
    const loaded = [...text.matchAll(/(?:src|<link[^>]* href)="([^"]+)"/g)].map(([, address]) => address)
    expect(loaded).toEqual(['page.css', 'page.js'])
    expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' })
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/)
  })

  it('is for the browser of this machine, under a path that nobody can guess', async () => {
    const { origin, port, pathname } = new URL(page.url)
    expect(pathname).toMatch(/^\/[\w-]{43}\/$/)
    expect(new URL(page.url).hostname).toBe('127.0.0.1')
    for (const headers of [
      { host: `evil.example:${port}` },
      { host: `localhost:${port}` },
      { origin: 'https://evil.example' },
      { origin: `http://127.0.0.1:${Number(port) + 1}` },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ] as Record<string, string>[])
      expect((await ask(page.url, headers)).status, JSON.stringify(headers)).toBe(403)
    expect((await ask(page.url, { origin, 'sec-fetch-site': 'same-origin' })).status).toBe(200)
    for (const path of [
      '/',
      '//',
      `/${'A'.repeat(43)}/`,
      pathname.slice(0, -1),
      `${pathname}x`,
      `${pathname}../`,
    ])
      expect((await ask(origin + path)).status, path).toBe(404)
    expect((await ask(page.url, {}, 'POST')).status).toBe(405)
  })

  it('tells every tab where the payment stands, also one that comes late, and the last word before it ends', async () => {
    const first = events(page.url)
    expect((await first.next()).value).toEqual(WAITING)
    page.say(SENT)
    expect((await first.next()).value).toEqual(SENT)
    const late = events(page.url)
    expect((await late.next()).value).toEqual(SENT)
    page.say({ step: 'final', text: 'open' })
    const other = await servePaymentPage(view)
    await page.close()
    for (const tab of [first, late]) {
      expect((await tab.next()).value).toEqual({ step: 'final', text: 'open' })
      expect((await tab.next()).done).toBe(true)
    }
    page = other
  })

  it('is followed by a handful of tabs at most', async () => {
    const tabs = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const tab = events(page.url)
        await tab.next()
        return tab
      }),
    )
    expect((await ask(`${page.url}events`)).status).toBe(503)
    await page.close()
    for (const tab of tabs) expect((await tab.next()).done).toBe(true)
    page = await servePaymentPage(view)
  })
})

const executable = chromiumPath()

describe.skipIf(executable === undefined)('in Chromium', () => {
  it('draws the code, has both links and the request, and follows the payment', async () => {
    const browser = await launch(executable ?? '')
    onTestFinished(() => browser.close())
    const tab = await browser.newPage({ colorScheme: 'dark', viewport: { width: 1200, height: 900 } })
    const problems: string[] = []
    const asked = new Set<string>()
    tab.on('console', (message) => problems.push(message.text()))
    tab.on('pageerror', (error) => problems.push(String(error)))
    tab.on('request', (each) => asked.add(new URL(each.url()).host))
    await tab.goto(page.url)
    await tab.getByText(WAITING.text).waitFor()

    const { order } = view
    const { size, data } = encode(tonLink(order), { ecc: 'L', border: 2 })
    const picture = (await tab.locator('#qr svg').screenshot()).toString('base64')
    expect(await modules(await browser.newPage(), picture, size)).toEqual(data)

    expect(await tab.locator('#wallet').getAttribute('href')).toBe(tonLink(order))
    expect(await tab.locator('#tonkeeper').getAttribute('href')).toBe(tonkeeperLink(order))
    const shown = JSON.parse((await tab.locator('#ton-connect').textContent()) ?? '')
    expect(shown).toEqual(JSON.parse(JSON.stringify(tonConnectRequest(order))))
    expect(messagesOfRequest(shown)[0]?.info).toMatchObject({ value: { coins: order.amount } })
    expect(await tab.locator('.amounts').textContent()).toMatch(/deposit\s*5 TON\s*gas\s*0\.02 TON\s*<b>&/)

    page.say(SENT)
    await tab.getByText(SENT.text).waitFor()
    expect(await tab.locator('body').getAttribute('data-step')).toBe('sent')
    page.say({ step: 'final', text: 'the channel is <i>open</i>' })
    await tab.getByText('the channel is <i>open</i>').waitFor()
    // What is paid is not to be paid again.
    expect(await tab.locator('#wallet').isVisible()).toBe(false)
    expect(problems).toEqual([])
    expect([...asked]).toEqual([new URL(page.url).host])
  })

  it('says so when the program is gone', async () => {
    const browser = await launch(executable ?? '')
    onTestFinished(() => browser.close())
    const tab = await browser.newPage()
    await tab.goto(page.url)
    await tab.getByText(WAITING.text).waitFor()
    await page.close()
    await tab.getByText('has ended or cannot be reached').waitFor()
    page = await servePaymentPage(view)
  })
})

/** The modules of a QR code in a picture (base64 of PNG): true where it is dark. The browser has what reads pictures. */
function modules(tab: Page, picture: string, size: number): Promise<boolean[][]> {
  return tab.evaluate(`(async () => {
    const png = await (await fetch('data:image/png;base64,${picture}')).blob()
    const image = await createImageBitmap(png)
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
    context.drawImage(image, 0, 0)
    const { data } = context.getImageData(0, 0, image.width, image.height)
    const at = (module, width) => Math.floor(((module + 0.5) * width) / ${size})
    const isDark = (x, y) => data[4 * (at(y, image.height) * image.width + at(x, image.width))] < 128
    return Array.from({ length: ${size} }, (_, y) => Array.from({ length: ${size} }, (_, x) => isDark(x, y)))
  })()`)
}
