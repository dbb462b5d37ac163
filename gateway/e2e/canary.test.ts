import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getLlama } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disguises, findings, tokenForms } from './canary.ts'
import { type Proxied, startProxied } from './proxied.ts'
import { ROOT } from './stack.ts'

/** A word that occurs nowhere else. */
const CANARY = 'Zanzibarquokka7391'

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return entry.isFile() ? [path] : []
  })
}

let net: Proxied
let answer: string
let tokens: string[]

beforeAll(async () => {
  tokens = await canaryTokens()
  net = await startProxied('debug')
  const chat = await net.sdk.chat.completions.create({
    model: net.model,
    messages: [{ role: 'user', content: `Translate to German: My name is ${CANARY}.` }],
    user: CANARY,
    prompt_cache_key: CANARY,
  })
  answer = chat.choices[0]?.message.content ?? ''
  const stream = await net.sdk.chat.completions.create({
    model: net.model,
    messages: [
      { role: 'system', content: CANARY },
      { role: 'user', content: `Hello ${CANARY}` },
    ],
    stream: true,
  })
  for await (const _ of stream);
  await net.post('/v1/translations', { model: net.model, input: `${CANARY} is here.`, target_language: 'fr' })
  await net.post('/v1/chat/completions', { model: net.model, messages: [{ role: CANARY, content: CANARY }] })
})
afterAll(() => net.close())

describe('a canary word of a prompt', () => {
  it('is found by the search when it is there', () => {
    for (const form of disguises(CANARY))
      expect(findings(Buffer.from(`…${form}…`, 'latin1'), [CANARY])).not.toEqual([])
    const inBase64 = Buffer.from(`{"prompt":"${CANARY} and more"}`).toString('base64')
    expect(findings(Buffer.from(inBase64), [CANARY])).not.toEqual([])
  })

  it('is nowhere on the link between gateway and worker', () => {
    const wire = Buffer.concat(net.proxy.captured)
    expect(wire.length).toBeGreaterThan(10_000)
    expect(findings(wire, [CANARY, ...longWords(answer)], tokens)).toEqual([])
  })

  it('is in no file of the data folder', () => {
    const files = filesBelow(net.folder.dir)
    expect(files.length).toBeGreaterThan(8)
    for (const file of files)
      expect([file, findings(readFileSync(file), [CANARY], tokens)]).toEqual([file, []])
  })

  it('is in no log line, even at the most talkative level', () => {
    const log = Buffer.concat(net.log)
    expect(log.length).toBeGreaterThan(500)
    expect(findings(log, [CANARY, ...longWords(answer)], tokens)).toEqual([])
  })
})

/** Words of an answer that could not be anything else in binary data. */
function longWords(text: string): string[] {
  return text.split(/[^\p{L}\d]+/u).filter((word) => word.length >= 8)
}

/** The ids of the canary's tokens in the embedded model, in every form that is searched for. */
async function canaryTokens(): Promise<string[]> {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true })
  const model = await llama.loadModel({
    modelPath: join(ROOT, 'worker/model/chrysalis-tiny.gguf'),
    vocabOnly: true,
  })
  const ids = model.tokenize(CANARY).slice(1, -1)
  await llama.dispose()
  expect(ids.length).toBeGreaterThan(3)
  return tokenForms(ids)
}
