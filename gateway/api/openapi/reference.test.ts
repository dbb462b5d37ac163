import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, launch } from '../../../attest/browser/testing.ts'
import { chatFields } from '../../../worker/protocol/index.ts'
import { html } from '../../html.ts'
import { serveFace } from '../testing/face.ts'
import { inline } from './page/prose.ts'

let face: Awaited<ReturnType<typeof serveFace>>
beforeAll(async () => {
  face = await serveFace(() => Promise.reject(new Error('no inference here')))
})
afterAll(() => face.close())

const get = (path: string, headers: Record<string, string> = {}) => fetch(face.url + path, { headers })

test('the document is served without a key, and again only when it has changed', async () => {
  const response = await get('/openapi.json')
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(await response.json()).toMatchObject({ openapi: '3.1.0' })
  const again = await get('/openapi.json', { 'if-none-match': response.headers.get('etag') ?? '' })
  expect(again.status).toBe(304)
  expect((await fetch(`${face.url}/openapi.json`, { method: 'HEAD' })).status).toBe(200)
  expect((await fetch(`${face.url}/openapi.json`, { method: 'POST' })).status).toBe(405)
})

test('the page is whole without its script, links to what is there, and asks no other host for anything', async () => {
  const page = await (await get('/reference')).text()
  for (const name of Object.keys(chatFields)) expect(page).toContain(`<code class="name">${name}</code>`)
  for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${id}"`)
  const loaded = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, address]) => address)
  expect(new Set(loaded)).toEqual(new Set(['/reference.css', '/reference.js', '/openapi.json']))
  expect((await get('/reference.css')).headers.get('content-type')).toContain('text/css')
  expect((await get('/reference.js')).headers.get('content-type')).toContain('text/javascript')
})

test('values in the page are escaped', () => {
  expect(html`<p title="${'"'}">${"<script>&'"}</p>`.html).toBe(
    '<p title="&quot;">&lt;script&gt;&amp;&#39;</p>',
  )
  expect(inline('a `<b>` c').html).toBe('a <code>&lt;b&gt;</code> c')
})

const executable = chromiumPath()

describe.skipIf(executable === undefined)('in a browser', () => {
  test('nothing is refused by its policy, and fields are found', async () => {
    const browser = await launch(executable ?? '')
    try {
      const page = await browser.newPage({ colorScheme: 'dark' })
      const problems: string[] = []
      const asked = new Set<string>()
      page.on('console', (message) => problems.push(message.text()))
      page.on('pageerror', (error) => problems.push(String(error)))
      page.on('request', (request) => asked.add(new URL(request.url()).host))
      await page.goto(`${face.url}/reference`)

      await page.fill('#filter', 'chat logit_bias')
      expect(await page.locator('#createChatCompletion').isVisible()).toBe(true)
      expect(await page.locator('#createEmbedding').isVisible()).toBe(false)
      await page.goto(`${face.url}/reference#createEmbedding`)
      await page.locator('#createEmbedding').waitFor({ state: 'visible' })
      expect(await page.locator('#createEmbedding pre').first().textContent()).toContain(face.url)

      const paper = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
      const before = await paper()
      await page.click('#theme')
      expect(await paper()).not.toBe(before)
      expect(problems).toEqual([])
      expect([...asked]).toEqual([new URL(face.url).host])
    } finally {
      await browser.close()
    }
  })
})
