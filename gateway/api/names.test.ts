import OpenAI from 'openai'
import { expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../attest/bytes.ts'
import type { DispatchRequest } from '../dispatch/index.ts'
import { ModelNames } from './names.ts'
import { scripted, serveFace, TEST_MODEL, TEST_SECRET } from './testing/face.ts'

const names = new ModelNames({ aliases: { 'gpt-4o-mini': TEST_MODEL.id }, defaultModel: TEST_MODEL.id })

async function asked(body: string): Promise<{ request: DispatchRequest; sent: string }> {
  const requests: DispatchRequest[] = []
  const dispatch = async (request: DispatchRequest) => {
    requests.push(request)
    return scripted(request, [{ type: 'body', bytes: utf8('{}') }])
  }
  const face = await serveFace(dispatch, { names })
  const headers = { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' }
  const response = await fetch(`${face.url}/v1/chat/completions`, { method: 'POST', headers, body })
  await face.close()
  const [request] = requests
  if (!request) throw new Error(`refused: ${await response.text()}`)
  return { request, sent: fromUtf8(request.body) }
}

const messages = [{ role: 'user', content: 'Hi' }]

it('seals the bytes as they came when the model is called by its name', async () => {
  const body = `{ "model":"${TEST_MODEL.id}",  "messages":[{"role":"user","content":"Hi"}] }`
  expect((await asked(body)).sent).toBe(body)
})

it('asks workers for the real name of an alias, and for the default where none is named', async () => {
  for (const model of ['gpt-4o-mini', undefined, null]) {
    const { request, sent } = await asked(JSON.stringify({ model, messages }))
    expect(request.model).toBe(TEST_MODEL.id)
    expect(JSON.parse(sent)).toEqual({ model: TEST_MODEL.id, messages })
  }
})

it('leaves what is no name of a model to the schema', async () => {
  for (const model of [7, {}, 'gpt-9', 'constructor'])
    await expect(asked(JSON.stringify({ model, messages }))).rejects.toThrow(/refused/)
  expect(new ModelNames().apply({ messages })).toEqual({ messages })
})

it('lists and retrieves an alias as an entry of its own', async () => {
  const face = await serveFace(() => Promise.reject(new Error('not asked')), { names })
  const sdk = new OpenAI({ baseURL: `${face.url}/v1`, apiKey: TEST_SECRET, maxRetries: 0 })
  const { data } = await sdk.models.list()
  expect(data.map(({ id }) => id)).toEqual([TEST_MODEL.id, 'gpt-4o-mini'])
  expect(data[0]).toMatchObject({
    chrysalis: {
      aliases: ['gpt-4o-mini'],
      context_length: 512,
      price: { prompt: '50', currency: 'TON', unit: 'nanoton per million tokens' },
      modalities: { input: ['text'] },
      workers: 1,
      tee: 'simulated-tdx',
    },
  })
  expect(await sdk.models.retrieve('gpt-4o-mini')).toEqual(data[1])
  expect(data[1]).toMatchObject({ chrysalis: { alias_of: TEST_MODEL.id } })
  await face.close()
})
