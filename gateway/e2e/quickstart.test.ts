import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
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
  stopChild,
  type TranslationBody,
} from './stack.ts'

const UP = ['gateway/cli/launch.mjs', 'up']

const shell = existsSync('/bin/sh')
if (!shell) console.warn('quickstart.test.ts: the banner is not pasted, SKIPPED: there is no /bin/sh here')
const linux = process.platform === 'linux'
if (!linux) console.warn('quickstart.test.ts: core dump limits are SKIPPED, they are read from Linux /proc')

let stack: Stack
let model: string
beforeAll(async () => {
  stack = await startStack()
  model = stack.ready.models[0] ?? ''
})
afterAll(cleanUp)

interface TranslationEvent {
  object: string
  type: string
  index?: number
  delta?: string
  text?: string
}

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'What is Chrysalis?' }]

describe('a new user', () => {
  it('gets exactly one JSON line with everything needed', () => {
    const { ready } = stack
    expect(Object.keys(ready)).toEqual(['event', 'url', 'apiKey', 'models', 'channel'])
    expect(ready.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/)
    expect(ready.apiKey).toMatch(/^sk-chry-/)
    expect(ready.channel).toMatch(/^EQ/)
    expect(ready.models).toEqual(['chrysalis/tiny'])
    expect(JSON.parse(stack.output()[0] ?? '')).toEqual(ready)
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

  it('streams a translation: events that end in [DONE], with the texts of the whole answer', async () => {
    const request = {
      model,
      input: ['Thank you very much.', 'Good evening!', 'Good morning!'],
      target_language: 'fr',
      source_language: 'en',
    }
    const whole = await bodyOf<TranslationBody>(await stack.post('/v1/translations', request))
    const streamed = await stack.post('/v1/translations', { ...request, stream: true })
    expect(streamed.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const events = (await streamed.text()).split('\n\n')
    expect(events.pop()).toBe('')
    expect(events.pop()).toBe('data: [DONE]')
    const parts = events.map((event) => JSON.parse(event.replace(/^data: /, '')) as TranslationEvent)
    expect(new Set(parts.map(({ object }) => object))).toEqual(new Set(['translation.chunk']))
    const done = parts.filter(({ type }) => type === 'translation.item.done')
    expect(done).toHaveLength(3)
    for (const { index, text } of whole.data) {
      const deltas = parts.filter((part) => part.type === 'translation.delta' && part.index === index)
      expect(
        deltas
          .map(({ delta }) => delta)
          .join('')
          .trim(),
      ).toBe(text)
      expect(done.find((part) => part.index === index)?.text).toBe(text)
    }
    expect(parts.at(-1)).toMatchObject({
      type: 'translation.done',
      usage: { total_tokens: whole.usage.total_tokens },
    })
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

  it.skipIf(!linux)('has core dumps off wherever plaintext is', () => {
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

  // Last, since it ends the stack that the others share.
  it('prints nothing else on stdout, to the end', async () => {
    expect(await stack.stop()).toBe(0)
    expect(stack.output()).toHaveLength(1)
  })

  it.skipIf(!shell)('pastes the curl line and the SDK snippet of the banner, and both work', async () => {
    // On the folder of the first run, as a user would start it the next time; the port is the only difference.
    const again = spawn(process.execPath, [...UP, '--port', '0', '--data', stack.dir], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(async () => void (await stopChild(again, 'SIGTERM')))
    let banner = ''
    for await (const text of again.stdout.setEncoding('utf8')) {
      banner += text
      if (banner.includes('Ctrl-C')) break
    }
    expect(banner).toContain('SIMULATED')
    const [, curl = ''] = /^ {2}(curl (?:.*\\\n)*.*)$/m.exec(banner) ?? []
    const [, snippet = ''] = /^( {2}import OpenAI[\s\S]*?)\n\n/m.exec(banner) ?? []
    const run = promisify(execFile)
    const pasted = JSON.parse((await run('/bin/sh', ['-c', curl], { cwd: ROOT })).stdout)
    expect(pasted).toMatchObject({ object: 'chat.completion', model })
    expect(pasted.choices[0].message.content.length).toBeGreaterThan(3)
    const printed = await run(process.execPath, ['--input-type=module', '--eval', snippet], { cwd: ROOT })
    // What it says is drawn by chance: the snippet sets no temperature.
    expect(printed.stdout.trim()).not.toBe('')
  })
})
