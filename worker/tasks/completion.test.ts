import { describe, expect, it } from 'vitest'
import { type ScriptedOptions, scriptedEngine } from '../engine/testing/scripted.ts'
import { validateAgainstOpenAi } from '../testing/openai-schemas.ts'
import type { TaskContext } from './index.ts'
import { run as runPath } from './testing.ts'

const streamed = { stream: true, stream_options: { include_usage: true, include_obfuscation: false } }

const run = (
  body: Record<string, unknown>,
  engine: ScriptedOptions = {},
  changes: Partial<TaskContext> = {},
) => runPath('/v1/completions', body, scriptedEngine(engine), changes)

interface Choice {
  index: number
  text: string
  finish_reason: string | null
  logprobs: {
    tokens: string[]
    token_logprobs: (number | null)[]
    top_logprobs: (Record<string, number> | null)[]
    text_offset: number[]
  } | null
}

const choicesOf = (document: Record<string, unknown>) => document.choices as Choice[]
const token = (text: string, logprob: number, bytes = [...Buffer.from(text)]) => ({
  text,
  tokens: 1,
  logprobs: [{ token: text, bytes, logprob, top: [] }],
})

describe('a completion', () => {
  it('continues a text', async () => {
    const engine = scriptedEngine()
    const { body, result } = await runPath('/v1/completions', { prompt: 'Say' }, engine)
    validateAgainstOpenAi('Completion', body)
    expect(body).toEqual({
      id: 'cmpl-req-1',
      object: 'text_completion',
      created: 1_750_000_000,
      model: 'chrysalis/scripted',
      choices: [{ text: 'Hello world!', index: 0, logprobs: null, finish_reason: 'stop' }],
      usage: result.usage,
    })
    expect(engine.runs[0]?.request).toMatchObject({ prompt: { kind: 'text', text: 'Say' }, maxTokens: 16 })
  })

  it('streams pieces, one finish and the usage', async () => {
    const { documents, metered } = await run({ prompt: 'Say', ...streamed })
    for (const document of documents) validateAgainstOpenAi('Completion', document)
    const told = documents.flatMap(choicesOf).map(({ text, finish_reason }) => [text, finish_reason])
    expect(told).toEqual([
      ['Hello', null],
      [' world', null],
      ['!', null],
      ['', 'stop'],
    ])
    expect(metered).toEqual([1, 2, 3, 3, 3])
    expect(documents.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 3 } })
  })

  it('takes a batch: choices in the order of prompts, each prompt counted once', async () => {
    const script: ScriptedOptions['script'] = ({ prompt, sampling }) => [
      prompt.kind === 'tokens' ? 'ids' : prompt.kind === 'text' ? prompt.text : '',
      String(sampling.seed),
    ]
    const body = { prompt: ['a', 'bc'], n: 2, seed: 5 }
    const { body: document } = await run(body, { script }, { n: 2 })
    expect(choicesOf(document).map(({ index, text }) => [index, text])).toEqual([
      [0, 'a5'],
      [1, 'a6'],
      [2, 'bc5'],
      [3, 'bc6'],
    ])
    expect(document.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 8 })
    const ids = await run({ prompt: [[1, 2, 3]] }, { script })
    expect(choicesOf(ids.body)[0]?.text).toBe('idsundefined')
  })

  it('tells log probabilities in four arrays, with offsets in characters', async () => {
    const bytes = [...Buffer.from('é')]
    const script = () => [
      token('😀', -1),
      {
        text: 'é',
        tokens: 2,
        logprobs: bytes.map((byte) => ({ token: '\ufffd', bytes: [byte], logprob: -2, top: [] })),
      },
      {
        ...token('x', -3),
        logprobs: [{ ...token('x', -3).logprobs[0], top: [{ token: 'y', bytes: [121], logprob: -0.1 }] }],
      },
    ]
    const { body } = await run({ prompt: 'Say', logprobs: 1 }, { script: script as never })
    validateAgainstOpenAi('Completion', body)
    expect(choicesOf(body)[0]?.logprobs).toEqual({
      tokens: ['😀', 'bytes:\\xc3', 'bytes:\\xa9', 'x'],
      token_logprobs: [-1, -2, -2, -3],
      top_logprobs: [{ '😀': -1 }, { 'bytes:\\xc3': -2 }, { 'bytes:\\xa9': -2 }, { y: -0.1, x: -3 }],
      text_offset: [0, 1, 1, 2],
    })
    const { documents } = await run({ prompt: 'Say', logprobs: 1, ...streamed }, { script: script as never })
    expect(documents.flatMap(choicesOf).flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual([
      0, 1, 1, 2,
    ])
  })

  it('echoes its prompt with log probabilities, as evaluation harnesses read it', async () => {
    const body = { prompt: 'Abc', echo: true, logprobs: 1, max_tokens: 1, temperature: 0 }
    const { body: document } = await run(body)
    const [choice] = choicesOf(document)
    expect(choice?.text).toBe('AbcHello')
    expect(choice?.logprobs?.tokens).toEqual(['A', 'b', 'c', 'Hello'])
    expect(choice?.logprobs?.token_logprobs).toEqual([null, ...[0, 1, 2].map(() => Math.log(0.5))])
    expect(choice?.logprobs?.top_logprobs[0]).toBeNull()
    expect(choice?.logprobs?.text_offset).toEqual([0, 1, 2, 3])
  })

  it('may read the prompt only', async () => {
    const { body } = await run({ prompt: 'Abc', echo: true, logprobs: 0, max_tokens: 0 })
    expect(body).toMatchObject({
      choices: [{ text: 'Abc', finish_reason: 'length' }],
      usage: { prompt_tokens: 3, completion_tokens: 0 },
    })
  })

  it('makes more than it tells, and tells the likeliest on average; all are charged', async () => {
    const answers = [[token('long', -1), token('er', -3)], [token('good', -0.1)], [token('bad', -9)]]
    const script: ScriptedOptions['script'] = ({ sampling }) => answers[sampling.seed ?? 0] ?? []
    const { body } = await run({ prompt: 'a', best_of: 3, n: 2, seed: 0 }, { script }, { n: 3 })
    expect(choicesOf(body)).toEqual([
      { text: 'good', index: 0, logprobs: null, finish_reason: 'stop' },
      { text: 'longer', index: 1, logprobs: null, finish_reason: 'stop' },
    ])
    expect(body.usage).toMatchObject({ prompt_tokens: 1, completion_tokens: 4 })
  })

  it('fills in where the model can', async () => {
    const engine = scriptedEngine({ info: { infill: true } })
    await runPath('/v1/completions', { prompt: 'a', suffix: 'z' }, engine)
    expect(engine.runs[0]?.request.prompt).toEqual({ kind: 'text', text: 'a', suffix: 'z' })
    await expect(run({ prompt: 'a', suffix: 'z' })).rejects.toMatchObject({ status: 400, param: 'suffix' })
    const tokens = runPath('/v1/completions', { prompt: [[1]], suffix: 'z' }, engine)
    await expect(tokens).rejects.toMatchObject({ status: 400, param: 'suffix' })
  })

  it('refuses a batch before working on any of it', async () => {
    const engine = scriptedEngine()
    const batch = runPath('/v1/completions', { prompt: ['a', 'x'.repeat(600)] }, engine)
    await expect(batch).rejects.toMatchObject({ apiCode: 'context_length_exceeded', param: 'prompt' })
    expect(engine.runs).toEqual([])
  })

  it.each([
    ['a token that the model does not have', { prompt: [[1], [512]] }, {}, 'prompt[1]'],
    ['a bias of such a token', { prompt: 'a', logit_bias: { 512: 1 } }, {}, 'logit_bias.512'],
    [
      'prompts that are longer together than was paid for',
      { prompt: ['abc', 'def'] },
      { maxPromptTokens: 5 },
      'prompt',
    ],
    ['more choices than the context knows', { prompt: 'a', best_of: 2 }, {}, 'n'],
  ])('is refused for %s', async (_, body, changes, param) => {
    await expect(run(body, {}, changes)).rejects.toMatchObject({ status: 400, param })
  })
})

it('the log probabilities of a long prompt are told in pieces, of which the first has the text', async () => {
  const prompt = 'a'.repeat(3000)
  const { documents } = await run(
    { prompt, echo: true, logprobs: 0, max_tokens: 0, ...streamed },
    { info: { contextLength: 5000 } },
  )
  const echoed = documents.flatMap((document) => choicesOf(document)).filter(({ logprobs }) => logprobs)
  expect(echoed.map(({ text }) => text.length)).toEqual([3000, 0, 0])
  expect(echoed.map(({ logprobs }) => logprobs?.tokens.length)).toEqual([1024, 1024, 952])
  const offsets = echoed.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])
  expect(offsets).toEqual(Array.from({ length: 3000 }, (_, index) => index))
})
