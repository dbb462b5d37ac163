import { Translate } from 'translate'
import { afterEach, describe, expect, it } from 'vitest'
import { insufficientQuota } from '../../../worker/protocol/index.ts'
import { serveFace, TEST_SECRET } from '../testing/face.ts'
import { Translator } from '../testing/translator.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function libre() {
  const translator = new Translator()
  const face = await serveFace(translator.dispatch, {
    limits: { bodyBytes: 1_000_000, deadlineMs: 60_000, keepAliveMs: 15_000 },
  })
  closers.push(face.close)
  const post = (body: unknown, path = '/translate', type = 'application/json') =>
    fetch(face.url + path, {
      method: 'POST',
      headers: { 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { ...face, translator, post }
}

const ask = { q: 'Hello', source: 'en', target: 'de', api_key: TEST_SECRET }

it('serves a real client', async () => {
  const { url } = await libre()
  // Its types lack the address, its documentation has it.
  const options = { engine: 'libre', url: `${url}/translate`, key: TEST_SECRET } as const
  const translate = Translate(options)
  expect(await translate('Hello', { from: 'en', to: 'de' })).toBe('HELLO')
})

describe('/translate', () => {
  it('answers one text with a text, an array with an array, in order', async () => {
    const { post, translator } = await libre()
    expect(await (await post(ask)).json()).toEqual({ translatedText: 'HELLO' })
    const batch = await post({ ...ask, q: ['a', 'b'], source: 'auto', alternatives: 1, format: 'html' })
    expect(await batch.json()).toEqual({
      translatedText: ['A', 'B'],
      detectedLanguage: [
        { confidence: expect.any(Number), language: 'en' },
        { confidence: expect.any(Number), language: 'en' },
      ],
      alternatives: [['a!'], ['b!']],
    })
    expect(translator.asked[1]).toEqual({
      model: 'chrysalis/tiny',
      input: ['a', 'b'],
      source_language: 'auto',
      target_language: 'de',
      format: 'html',
      alternatives: 1,
    })
  })

  it('takes forms', async () => {
    const { post } = await libre()
    const form = new URLSearchParams({ ...ask, alternatives: '0' })
    const response = await post(form.toString(), '/translate', 'application/x-www-form-urlencoded')
    expect(await response.json()).toEqual({ translatedText: 'HELLO' })
  })

  it('reads a form of very many names in linear time: nobody has shown a key by then', async () => {
    const { post } = await libre()
    // The square of this number of steps would take minutes.
    const form = Array.from({ length: 120_000 }, (_, index) => index.toString(36)).join('&')
    const response = await post(form, '/translate', 'application/x-www-form-urlencoded')
    expect([response.status, await response.json()]).toEqual([400, { error: expect.any(String) }])
  })

  const refused: [string, unknown, number, RegExp][] = [
    ['no q', { ...ask, q: undefined }, 400, /q/],
    ['no target', { ...ask, target: undefined }, 400, /target/],
    ['a wrong format', { ...ask, format: 'pdf' }, 400, /format/],
    ['an unknown field', { ...ask, nonsense: 1 }, 400, /nonsense/],
    ['too many alternatives', { ...ask, alternatives: 9 }, 400, /alternatives/],
    ['no key', { ...ask, api_key: '' }, 403, /API key/],
    ['a wrong key', { ...ask, api_key: 'sk-chry-wrong' }, 403, /API key/],
    ['broken JSON', '{', 400, /JSON/],
  ]
  it.each(refused)('refuses %s in its own shape', async (_, body, status, message) => {
    const { post } = await libre()
    const response = await post(body)
    expect(response.status).toBe(status)
    const answer = (await response.json()) as { error: string }
    expect(Object.keys(answer)).toEqual(['error'])
    expect(answer.error).toMatch(message)
  })

  it('refuses an Idempotency-Key, which it would not keep', async () => {
    const { url } = await libre()
    const response = await fetch(`${url}/translate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'once' },
      body: JSON.stringify(ask),
    })
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('Idempotency-Key'),
    ])
  })

  it('says in its own shape that funds or methods are missing, and what went wrong with a text', async () => {
    const { post, url, translator } = await libre()
    const get = await fetch(`${url}/translate`)
    expect([get.status, Object.keys((await get.json()) as object)]).toEqual([405, ['error']])
    translator.error = { message: 'a tag was lost', type: 'x', param: null, code: null }
    const lost = await post(ask)
    expect([lost.status, await lost.json()]).toEqual([
      400,
      { error: expect.stringMatching(/^Text 0: a tag was lost .*was charged/) },
    ])
    translator.fail = insufficientQuota('The channel is empty.')
    const broke = await post(ask)
    expect([broke.status, await broke.json()]).toEqual([403, { error: 'The channel is empty.' }])
  })
})

it('detects languages, the likeliest first', async () => {
  const { post } = await libre()
  const response = await post({ q: 'Wo ist der Bahnhof?', api_key: TEST_SECRET }, '/detect')
  const [first] = (await response.json()) as { confidence: number; language: string }[]
  expect(first?.language).toBe('de')
  expect(first?.confidence).toBeGreaterThan(50)
})

it('tells languages and settings without a key', async () => {
  const { url } = await libre()
  const languages = (await (await fetch(`${url}/languages`)).json()) as { code: string; targets: string[] }[]
  expect(languages.find(({ code }) => code === 'de')).toMatchObject({ name: 'German' })
  expect(languages[0]?.targets).toContain('en')
  const settings = await (await fetch(`${url}/frontend/settings`)).json()
  expect(settings).toMatchObject({ keyRequired: true, language: { source: { code: 'auto' } } })
})
