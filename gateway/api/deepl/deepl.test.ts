import {
  AuthorizationError,
  DeepLClient,
  DeepLError,
  QuotaExceededError,
  TooManyRequestsError,
} from 'deepl-node'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiError, insufficientQuota, invalidRequest } from '../../../worker/protocol/index.ts'
import { serveFace, TEST_SECRET } from '../testing/face.ts'
import { Translator } from '../testing/translator.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function deepl() {
  const translator = new Translator()
  const face = await serveFace(translator.dispatch)
  closers.push(face.close)
  const client = (key = TEST_SECRET) => new DeepLClient(key, { serverUrl: face.url, maxRetries: 0 })
  const post = (body: unknown, headers: Record<string, string> = {}, path = '/v2/translate') =>
    fetch(face.url + path, {
      method: 'POST',
      headers: {
        authorization: `DeepL-Auth-Key ${TEST_SECRET}`,
        'content-type': 'application/json',
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { ...face, translator, client, post }
}

describe('the real deepl-node', () => {
  it('translates one text and many', async () => {
    const { client, translator } = await deepl()
    const one = await client().translateText('Hello', null, 'de')
    expect(one).toMatchObject({ text: 'HELLO', detectedSourceLang: 'en', billedCharacters: 5 })
    const many = await client().translateText(['a', 'b 😀'], 'en', 'pt-BR', {
      formality: 'prefer_more',
      context: 'a letter',
      tagHandling: 'html',
      modelType: 'prefer_quality_optimized',
    })
    expect(many.map(({ text }) => text)).toEqual(['A', 'B 😀'])
    expect(many[1]).toMatchObject({ billedCharacters: 3, modelTypeUsed: 'quality_optimized' })
    expect(translator.asked[1]).toEqual({
      model: 'chrysalis/tiny',
      input: ['a', 'b 😀'],
      source_language: 'en',
      target_language: 'pt-BR',
      formality: 'prefer_more',
      context: 'a letter',
      format: 'html',
    })
  })

  it('asks for usage and languages', async () => {
    const { client } = await deepl()
    await client().translateText('Hello', null, 'de')
    const usage = await client().getUsage()
    expect(usage.character).toMatchObject({ count: 5 })
    expect(usage.anyLimitReached()).toBe(false)
    const source = await client().getSourceLanguages()
    expect(source).toContainEqual({ code: 'de', name: 'German', supportsFormality: undefined })
    const target = await client().getTargetLanguages()
    expect(target).toContainEqual({ code: 'de', name: 'German', supportsFormality: true })
  })

  it('meets the errors that it knows', async () => {
    const { client, translator } = await deepl()
    await expect(client('sk-chry-wrong').getUsage()).rejects.toThrow(AuthorizationError)
    await expect(client().translateText('x', null, 'de', { glossary: 'g' })).rejects.toThrow(DeepLError)
    translator.fail = invalidRequest('target_language', "Invalid 'target_language': it is not served.")
    await expect(client().translateText('x', null, 'de')).rejects.toThrow("Invalid 'target_lang': it is")
    translator.fail = insufficientQuota('The channel is empty.')
    await expect(client().translateText('x', null, 'de')).rejects.toThrow(QuotaExceededError)
    translator.fail = new ApiError({ status: 429, type: 'requests', message: 'Slowly.' })
    await expect(client().translateText('x', null, 'de')).rejects.toThrow(TooManyRequestsError)
  })

  it('is told of a translation that is not what it should be', async () => {
    const { client, translator } = await deepl()
    translator.error = { message: 'a placeholder was lost', type: 'x', param: null, code: null }
    await expect(client().translateText('{name}', null, 'de')).rejects.toThrow('placeholder was lost')
  })
})

describe('/v2/translate', () => {
  it('says 502 when a worker answers with something else', async () => {
    const { post, translator } = await deepl()
    translator.malformed = true
    const response = await post({ text: ['x'], target_lang: 'DE' })
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([502, ['message']])
  })

  it('takes JSON and forms', async () => {
    const { post } = await deepl()
    const json = await post({ text: ['Hi'], target_lang: 'DE' })
    expect(await json.json()).toEqual({ translations: [{ detected_source_language: 'EN', text: 'HI' }] })
    const form = await post('text=Hi&text=you&target_lang=DE', {
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(((await form.json()) as { translations: unknown[] }).translations).toHaveLength(2)
  })

  const refused: [string, unknown, number, RegExp][] = [
    ['no text', { target_lang: 'DE' }, 400, /text/],
    ['no texts', { text: [], target_lang: 'DE' }, 400, /text/],
    ['no target', { text: ['x'] }, 400, /target_lang/],
    ['a wrong formality', { text: ['x'], target_lang: 'DE', formality: 'rude' }, 400, /formality/],
    ['a glossary', { text: ['x'], target_lang: 'DE', glossary_id: 'g' }, 400, /glossary_id/],
    ['tags to ignore', { text: ['x'], target_lang: 'DE', ignore_tags: ['x'] }, 400, /ignore_tags/],
    ['an unknown field', { text: ['x'], target_lang: 'DE', nonsense: 1 }, 400, /nonsense/],
    ['a key in the body', { text: ['x'], target_lang: 'DE', auth_key: 'k' }, 400, /auth_key/],
    ['broken JSON', '{', 400, /JSON/],
    ['a large body', { text: ['x'.repeat(9000)], target_lang: 'DE' }, 413, /large/],
  ]
  it.each(refused)('refuses %s in its own shape', async (_, body, status, message) => {
    const { post } = await deepl()
    const response = await post(body)
    expect(response.status).toBe(status)
    const answer = (await response.json()) as { message: string }
    expect(Object.keys(answer)).toEqual(['message'])
    expect(answer.message).toMatch(message)
  })

  it('answers 404 in its own shape for what it has not, and 403 without a key', async () => {
    const { post, url } = await deepl()
    const missing = await post({}, {}, '/v2/document')
    expect([missing.status, Object.keys((await missing.json()) as object)]).toEqual([404, ['message']])
    const misnamed = await post({}, { 'x-client-request-id': 'a b' })
    expect([misnamed.status, Object.keys((await misnamed.json()) as object)]).toEqual([400, ['message']])
    const long = await post({}, {}, `/v2/${'x'.repeat(5000)}`)
    expect((await long.text()).length).toBeLessThan(300)
    const keyless = await fetch(`${url}/v2/usage`)
    expect([keyless.status, Object.keys((await keyless.json()) as object)]).toEqual([403, ['message']])
  })
})
