import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getLlama } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disguises, findings, tokenForms } from './canary.ts'
import { descendantsOf } from './processes.ts'
import { type Proxied, startProxied } from './proxied.ts'
import { bodyOf, type ErrorBody, ROOT, type TranslationBody } from './stack.ts'

const linux = process.platform === 'linux'
if (!linux)
  console.warn('canary.test.ts: arguments and environments are SKIPPED, they are read from Linux /proc')

/** A word that occurs nowhere else. */
const CANARY = 'Zanzibarquokka7391'

let net: Proxied
/** What was asked and answered, as it must be found nowhere. */
let words: string[]
let tokens: string[]
let answers: string[]
let refusal: ErrorBody
/** Statuses of the other routes and forms of requests, refusals among them. */
let reached: [name: string, status: number][]

beforeAll(async () => {
  net = await startProxied('debug')
  // One request without a canary first: what it leaves holds the words that this project itself says.
  await net.post('/v1/translations', { model: net.model, input: 'Hi', target_language: 'de' })
  const ours = everything()
  answers = [await chat(), await streamedChat(), ...(await translations())]
  reached = await everyOtherRoute()
  const refused = await net.post('/v1/chat/completions', {
    model: net.model,
    messages: [{ role: CANARY, content: CANARY }],
  })
  expect(refused.status).toBe(400)
  refusal = await bodyOf<ErrorBody>(refused)
  words = [CANARY, ...answers.flatMap(needlesOf).filter((word) => findings(ours, [word]).length === 0)]
  tokens = await tokensOf([CANARY, ...answers])
})
afterAll(() => net?.close())

async function chat(): Promise<string> {
  const { choices } = await net.sdk.chat.completions.create({
    model: net.model,
    messages: [{ role: 'user', content: `Translate to German: My name is ${CANARY}. Where is the station?` }],
    temperature: 0,
    user: CANARY,
    prompt_cache_key: CANARY,
  })
  return choices[0]?.message.content ?? ''
}

async function streamedChat(): Promise<string> {
  const stream = await net.sdk.chat.completions.create({
    model: net.model,
    messages: [
      { role: 'system', content: CANARY },
      { role: 'user', content: 'What is Chrysalis?' },
    ],
    temperature: 0,
    stream: true,
  })
  const chunks = await Array.fromAsync(stream)
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
}

async function translations(): Promise<string[]> {
  const response = await net.post('/v1/translations', {
    model: net.model,
    input: [`${CANARY} is here.`, 'Where is the station, please?'],
    target_language: 'fr',
    source_language: 'en',
  })
  return (await bodyOf<TranslationBody>(response)).data.map(({ text }) => text)
}

/** The word in every place that a request has for a text, on every route, refused ones too. */
async function everyOtherRoute(): Promise<[string, number][]> {
  const { model, apiKey } = net
  const messages = [{ role: 'user', content: CANARY }]
  const parameters = { type: 'object', description: CANARY, properties: { [CANARY]: { const: CANARY } } }
  const tool = { type: 'function', function: { name: CANARY, description: CANARY, parameters } }
  const call = { id: CANARY, type: 'function', function: { name: CANARY, arguments: `{"${CANARY}":1}` } }
  const called = [
    ...messages,
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: CANARY, content: CANARY },
  ]
  const format = (schema: object) => ({ type: 'json_schema', json_schema: { name: CANARY, schema } })
  const chats: Record<string, object> = {
    tools: { messages: called, tools: [tool], tool_choice: 'required', max_tokens: 40 },
    schema: { messages, response_format: format({ type: 'string', enum: [CANARY] }) },
    'bad schema': { messages, response_format: format({ type: 'string', pattern: `(${CANARY}` }) },
    grammar: { messages, grammar: `root ::= "${CANARY}"`, max_tokens: 40 },
    'bad grammar': { messages, grammar: `root ::= ${CANARY}` },
    'unknown field': { messages, [CANARY]: CANARY },
    stop: { messages, stop: [CANARY], metadata: { [CANARY]: CANARY }, max_tokens: 2 },
  }
  const languages = { source_language: 'en', target_language: 'de' }
  const glossary = [{ source: CANARY, target: CANARY }]
  const bodies: [string, string, object][] = [
    ...Object.entries(chats).map(([name, body]): [string, string, object] => [
      name,
      '/v1/chat/completions',
      body,
    ]),
    [
      'completion',
      '/v1/completions',
      { prompt: CANARY, echo: true, logprobs: 2, max_tokens: 1, user: CANARY },
    ],
    ['embedding', '/v1/embeddings', { input: [CANARY, `${CANARY} too`] }],
    [
      'response',
      '/v1/responses',
      { instructions: CANARY, input: CANARY, max_output_tokens: 2, stream: true },
    ],
    ['counting', '/v1/responses/input_tokens', { input: CANARY }],
    ['translation', '/v1/translations', { input: `<b>${CANARY}</b>`, format: 'html', ...languages }],
    [
      'instructed',
      '/v1/translations',
      { input: CANARY, ...languages, context: CANARY, style: CANARY, glossary },
    ],
  ]
  const statuses: [string, number][] = []
  const note = async (name: string, response: Response) => {
    await response.arrayBuffer()
    statuses.push([name, response.status])
  }
  for (const [name, path, body] of bodies) await note(name, await net.post(path, { model, ...body }))
  const ask = (path: string, body: object, headers: Record<string, string>) =>
    fetch(net.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  const bearer = {
    authorization: `Bearer ${apiKey}`,
    'idempotency-key': CANARY,
    'x-client-request-id': CANARY,
  }
  for (const name of ['idempotent', 'replayed'])
    await note(name, await ask('/v1/chat/completions', { model, messages, max_tokens: 2 }, bearer))
  const deepL = { authorization: `DeepL-Auth-Key ${apiKey}` }
  await note(
    'deepl',
    await ask('/v2/translate', { text: [CANARY], target_lang: 'DE', context: CANARY }, deepL),
  )
  const libre = { q: CANARY, source: 'auto', target: 'de', api_key: apiKey }
  await note('libretranslate', await ask('/translate', libre, {}))
  await note('detect', await ask('/detect', { q: CANARY, api_key: apiKey }, {}))
  await note('wrong key', await ask('/detect', { q: CANARY, api_key: CANARY }, {}))
  return statuses
}

/** The opening of an answer, and its words that are too long to be chance in binary data. */
function needlesOf(answer: string): string[] {
  const long = answer.split(/[^\p{L}\d]+/u).filter((word) => word.length >= 8)
  return [answer.trim().slice(0, 24), ...long].filter((needle) => needle.length >= 8)
}

/** All that can be looked through: wire, files, logs. */
function everything(): Buffer {
  const files = filesBelow(net.folder.dir).map((file) => readFileSync(file))
  return Buffer.concat([...net.proxy.captured, ...net.log, ...files])
}

/** Longest run of ids that is searched for; shorter texts are searched for whole. */
const RUN = 6

/** The token ids of the texts in the embedded model, in every form that is searched for. */
async function tokensOf(texts: readonly string[]): Promise<string[]> {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true })
  const modelPath = join(ROOT, 'worker/model/chrysalis-tiny.gguf')
  const model = await llama.loadModel({ modelPath, vocabOnly: true })
  // Without the first and the last, which depend on the neighbours.
  const runs = texts.map((text) => model.tokenize(text).slice(1, -1).slice(0, RUN))
  await llama.dispose()
  const long = runs.filter((ids) => ids.length >= 4)
  expect(long.length).toBeGreaterThanOrEqual(3)
  return long.flatMap(tokenForms)
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return entry.isFile() ? [path] : []
  })
}

describe('a canary word of a prompt, and the words of the answers', () => {
  it('are found by the search when they are there', () => {
    for (const form of disguises(CANARY))
      expect(findings(Buffer.from(`…${form}…`, 'latin1'), [CANARY])).not.toEqual([])
    const inBase64 = Buffer.from(`{"prompt":"${CANARY} and more"}`).toString('base64')
    expect(findings(Buffer.from(inBase64), [CANARY])).not.toEqual([])
    for (const word of words) expect(findings(Buffer.from(`…${word}…`), words)).not.toEqual([])
    for (const form of tokens)
      expect(findings(Buffer.from(`…${form}…`, 'latin1'), [], tokens)).toContain(form)
  })

  it('are several: each answer said something, and the refused request was told nothing of itself', () => {
    expect(answers).toHaveLength(4)
    for (const answer of answers) expect(answer.trim()).not.toBe('')
    expect(words.length).toBeGreaterThanOrEqual(3)
    expect(refusal.error.param).toMatch(/^messages/)
    expect(findings(Buffer.from(JSON.stringify(refusal)), [CANARY])).toEqual([])
  })

  it('were in requests of every route', () => {
    // The embedded model takes no instructions for a translation.
    const refused = ['bad schema', 'bad grammar', 'unknown field', 'instructed']
    const expected = reached.map(([name]) => {
      if (name === 'wrong key') return [name, 403]
      return [name, refused.includes(name) ? 400 : 200]
    })
    expect(reached).toEqual(expected)
    expect(reached.length).toBeGreaterThan(15)
  })

  it('are nowhere on the link between gateway and worker', () => {
    const wire = Buffer.concat(net.proxy.captured)
    expect(wire.length).toBeGreaterThan(10_000)
    expect(findings(wire, words, tokens)).toEqual([])
  })

  it('are in no file of the data folder', () => {
    const files = filesBelow(net.folder.dir)
    expect(files.length).toBeGreaterThan(8)
    for (const file of files) expect([file, findings(readFileSync(file), words, tokens)]).toEqual([file, []])
  })

  it('are in no log line, even at the most talkative level', () => {
    const log = Buffer.concat(net.log)
    expect(log.length).toBeGreaterThan(500)
    expect(findings(log, [...words, net.apiKey], tokens)).toEqual([])
  })

  it.skipIf(!linux)('are, like the API key, in no argument or environment of a process', () => {
    const roles = Object.values(net.roles).flatMap(({ pid }) => descendantsOf(pid ?? 0))
    expect(roles.length).toBeGreaterThanOrEqual(4)
    for (const pid of roles) {
      const visible = Buffer.concat([
        readFileSync(`/proc/${pid}/cmdline`),
        readFileSync(`/proc/${pid}/environ`),
      ])
      expect(visible.length).toBeGreaterThan(50)
      expect([pid, findings(visible, [...words, net.apiKey], tokens)]).toEqual([pid, []])
    }
  })
})
