import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChannelReport, channelStatus } from './money.ts'
import { coreLimit, descendantsOf } from './processes.ts'
import {
  bodyOf,
  cleanUp,
  type ErrorBody,
  payloadOf,
  type ReceiptBody,
  ROOT,
  type Stack,
  startStack,
  type TranslationBody,
} from './stack.ts'

let stack: Stack
let model: string
beforeAll(async () => {
  stack = await startStack()
  model = stack.ready.models[0] ?? ''
})
afterAll(cleanUp)

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'What is Chrysalis?' }]

describe('a new user', () => {
  it('gets exactly one JSON line with everything needed', () => {
    const { ready } = stack
    expect(Object.keys(ready)).toEqual(['event', 'url', 'apiKey', 'models', 'channel'])
    expect(ready.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/)
    expect(ready.apiKey).toMatch(/^sk-chry-/)
    expect(ready.channel).toMatch(/^EQ/)
    expect(ready.models).toEqual(['chrysalis/tiny'])
  })

  it('chats through the official SDK', async () => {
    const answer = await stack.sdk.chat.completions.create({
      model,
      messages,
      temperature: 0,
      max_completion_tokens: 40,
    })
    expect(answer.object).toBe('chat.completion')
    expect(answer.choices[0]?.message.role).toBe('assistant')
    expect(answer.choices[0]?.message.content?.length).toBeGreaterThan(3)
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage ?? {}
    expect(total_tokens).toBe((prompt_tokens ?? 0) + (completion_tokens ?? 0))
  })

  it('streams with usage, and the deltas join to the whole answer', async () => {
    const request = { model, messages, temperature: 0, max_completion_tokens: 40 }
    const whole = await stack.sdk.chat.completions.create(request)
    const stream = await stack.sdk.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await Array.fromAsync(stream)
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
    expect(text).toBe(whole.choices[0]?.message.content)
    expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason)).toHaveLength(1)
    expect(chunks.at(-1)?.choices).toEqual([])
    expect(chunks.at(-1)?.usage).toMatchObject(whole.usage ?? {})
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  })

  it('lists the model', async () => {
    expect((await stack.sdk.models.list()).data.map(({ id }) => id)).toEqual([model])
  })

  it('translates one text and many', async () => {
    const one = await stack.post('/v1/translations', { model, input: 'Good morning!', target_language: 'de' })
    expect(one.status).toBe(200)
    const translated = await bodyOf<TranslationBody>(one)
    expect(translated).toMatchObject({
      object: 'translation',
      data: [{ index: 0, detected_source_language: 'en' }],
    })
    expect(translated.data[0]?.text).toMatch(/guten morgen/i)
    const many = await stack.post('/v1/translations', {
      model,
      input: ['Thank you very much.', 'Good evening!'],
      target_language: 'fr',
      source_language: 'en',
    })
    const { data, usage } = await bodyOf<TranslationBody>(many)
    expect(data.map(({ index }) => index)).toEqual([0, 1])
    expect(data[0]?.text).toMatch(/merci/i)
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
  })

  it('is told which languages the model lacks', async () => {
    const response = await stack.post('/v1/translations', { model, input: 'Hello', target_language: 'ja' })
    expect(response.status).toBe(400)
    expect((await bodyOf<ErrorBody>(response)).error.param).toBe('target_language')
  })

  it('fetches the signed receipt that the answer named', async () => {
    const response = await stack.post('/v1/chat/completions', { model, messages, max_tokens: 5 })
    await response.json()
    const id = response.headers.get('chrysalis-receipt')
    expect(response.headers.get('chrysalis-tee')).toBe('simulated')
    const headers = { authorization: `Bearer ${stack.ready.apiKey}` }
    const receipt = await bodyOf<ReceiptBody>(await fetch(`${stack.ready.url}/receipts/${id}`, { headers }))
    expect(receipt).toMatchObject({ id, object: 'receipt' })
    expect(payloadOf(receipt)).toMatchObject({
      requestId: id,
      status: 'complete',
      clientCharge: receipt.charged,
    })
    expect(BigInt(receipt.charged)).toBeGreaterThan(0n)
  })

  it('finds the API key again in a 0600 file', async () => {
    const file = join(stack.dir, 'gateway', 'api-key')
    expect((await readFile(file, 'utf8')).trim()).toBe(stack.ready.apiKey)
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it.skipIf(process.platform !== 'linux')('has core dumps off wherever plaintext is', () => {
    const limits = descendantsOf(stack.child.pid ?? 0)
      .slice(1)
      .map(coreLimit)
    expect(limits.length).toBeGreaterThanOrEqual(4)
    expect(new Set(limits)).toEqual(new Set(['0']))
  })

  it('settles, and the balances add up to the nanoton', async () => {
    const client = ({ channels }: ChannelReport) => channels.find(({ role }) => role === 'client')
    const before = client(await channelStatus(stack))
    expect(BigInt(before?.charged ?? 0)).toBeGreaterThan(0n)
    expect(before?.reserved).toBe('0')
    const report = await channelStatus(stack, 'settle')
    expect(client(report)?.settled).toBe(before?.charged)
    expect(report.balances.difference).toBe('0')
  })

  it('is told plainly that a second server may not use the folder', async () => {
    const args = ['gateway/cli/launch.mjs', 'up', '--port', '0', '--data', stack.dir]
    const failure = await promisify(execFile)(process.execPath, args, { cwd: ROOT }).catch((error) => error)
    expect(failure.code).toBe(1)
    expect(failure.stderr).toContain(stack.dir)
    expect(failure.stderr).not.toContain('    at ')
  })

  it('is told plainly that a port is in use', async () => {
    const port = new URL(stack.origin).port
    await expect(startStack({ args: ['--port', port] })).rejects.toThrow(
      new RegExp(`port ${port}.*in use`, 's'),
    )
  })
})
