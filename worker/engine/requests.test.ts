import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChildEngine, embeddedModel, maxGrammarLength, startEngine } from './index.ts'
import { byteToken, chainModel } from './testing/chain-model.ts'
import type { EngineEvent, GenerateRequest, Prompt, Sampling, TokenLogprob } from './types.ts'

const chains = {
  // five words
  S: ['One'],
  One: [' two'],
  ' two': [' three'],
  ' three': [' four'],
  ' four': [' five'],
  ' five': ['<|end|>'],
  // by chance
  R: [' x', ' y'],
  ' x': [' x', ' y'],
  ' y': [' x', ' y'],
  // a smile of four byte tokens
  E: [byteToken(0xf0)],
  [byteToken(0xf0)]: [byteToken(0x9f)],
  [byteToken(0x9f)]: [byteToken(0x98)],
  [byteToken(0x98)]: [byteToken(0x80)],
  [byteToken(0x80)]: ['!'],
  // a call with a control token, and text behind its trigger in the same token
  C: ['<|tool|>'],
  '<|tool|>': ['{"a":'],
  '{"a":': ['1}'],
  T: ['say <call>no'],
  'say <call>no': ['yes'],
  yes: ['<|end|>'],
  [byteToken(0x3e)]: [byteToken(0x32)],
  // a first word with a space before it
  A: [' two'],
  K: ['<|system|>'],
  '<|system|>': ['!'],
  '<|middle|>': ['One'],
}

let folder: string
let chain: ChildEngine
let tiny: ChildEngine
/** The chain model with a tokenizer that puts a space in front. */
let spaced: ChildEngine

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrysalis-requests-'))
  const modelPath = join(folder, 'chain.gguf')
  writeFileSync(modelPath, chainModel({ chains, infill: true }))
  const options = { gpu: 'off', sequences: 4, threads: 1 } as const
  chain = await startEngine({ modelPath, ...options })
  const spacedPath = join(folder, 'spaced.gguf')
  writeFileSync(spacedPath, chainModel({ chains, spacePrefix: true }))
  spaced = await startEngine({ modelPath: spacedPath, ...options })
  tiny = await startEngine({ modelPath: embeddedModel.path, ...options })
})

afterAll(async () => {
  await chain?.close()
  await tiny?.close()
  await spaced?.close()
  await rm(folder, { recursive: true, force: true })
})

const say = (content: string): Prompt => ({ kind: 'chat', messages: [{ role: 'user', content }] })
const greedy: Sampling = { temperature: 0, topP: 1, presencePenalty: 0, frequencyPenalty: 0 }
const random: Sampling = { ...greedy, temperature: 1, seed: 7 }
const never = () => new AbortController().signal

interface Outcome {
  readonly events: readonly EngineEvent[]
  readonly text: string
  readonly logprobs: readonly TokenLogprob[]
  readonly end: EngineEvent & { type: 'end' }
}

async function run(
  engine: ChildEngine,
  prompt: Prompt,
  changes: Partial<GenerateRequest> = {},
): Promise<Outcome> {
  const request = { prompt, maxPromptTokens: 400, maxTokens: 40, sampling: greedy, stop: [], ...changes }
  const events: EngineEvent[] = []
  for await (const event of engine.generate(request, never())) events.push(event)
  const texts = events.filter((event) => event.type === 'text')
  const end = events.at(-1)
  if (end?.type !== 'end') throw new Error('the last event is the end event')
  return {
    events,
    text: texts.map(({ text }) => text).join(''),
    logprobs: texts.flatMap(({ logprobs }) => logprobs ?? []),
    end,
  }
}

const joined = (tokens: readonly { readonly bytes: readonly number[] }[]) =>
  Buffer.from(tokens.flatMap(({ bytes }) => [...bytes])).toString('utf8')

describe('sampling', () => {
  const id = async (text: string): Promise<number> => {
    // The vocabulary of the chain model is in the order of its first use; the token tells itself by being alone.
    for (let token = 0; token < chain.info.vocabularySize; token++) {
      const { events } = await run(chain, { kind: 'tokens', tokens: [token] }, { echo: true, maxTokens: 0 })
      const echo = events.find((event) => event.type === 'echo')
      if (echo?.type === 'echo' && echo.text === text) return token
    }
    throw new Error(`no token is ${text}`)
  }

  it('is biased towards a token and away from one', async () => {
    const y = await id(' y')
    const x = await id(' x')
    const towards = await run(chain, say('R'), {
      sampling: { ...random, logitBias: [[y, 50]] },
      maxTokens: 10,
    })
    expect(towards.text).toBe(' y'.repeat(10))
    const banned = await run(chain, say('R'), {
      sampling: { ...random, logitBias: [[y, -100]] },
      maxTokens: 10,
    })
    expect(banned.text).toBe(' x'.repeat(10))
    const other = await run(chain, say('R'), { sampling: { ...greedy, logitBias: [[x, -1]] }, maxTokens: 3 })
    expect(other.text).toBe(' y y y')
  })

  it('cannot end where the end is banned', async () => {
    const end = await run(chain, say('S'), { specialText: true })
    expect(end.end.finishReason).toBe('stop')
    // </s> and <|end|>
    const logitBias: [number, number][] = [
      [2, -100],
      [6, -100],
    ]
    expect((await run(chain, say('S'), { sampling: { ...greedy, logitBias } })).end).toMatchObject({
      finishReason: 'length',
      completionTokens: 40,
    })
  })

  it.each([-1, 1.5, 1e9])('refuses a bias of the token %s', async (token) => {
    const refused = run(chain, say('R'), { sampling: { ...greedy, logitBias: [[token, 1]] } })
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_BAD_TOKEN',
      message: expect.stringContaining(`${token}`),
    })
  })

  it('keeps to the likeliest by top_k, and to the likely by min_p', async () => {
    const hot = { ...random, temperature: 5 }
    const free = await run(tiny, say('Hello!'), { sampling: hot })
    const cold = await run(tiny, say('Hello!'))
    expect(free.text).not.toBe(cold.text)
    expect((await run(tiny, say('Hello!'), { sampling: { ...hot, topK: 1 } })).text).toBe(cold.text)
    expect((await run(tiny, say('Hello!'), { sampling: { ...hot, minP: 1 } })).text).toBe(cold.text)
  })

  it('is kept from repeating by a repeat penalty', async () => {
    const sampling = { ...greedy, repeatPenalty: 1.5 }
    const { text } = await run(chain, say('R'), { sampling, maxTokens: 2 })
    expect([' x y', ' y x']).toContain(text)
  })

  it('reads only the prompt where no token is wanted', async () => {
    const { events } = await run(chain, say('S'), { maxTokens: 0 })
    expect(events).toEqual([
      { type: 'prompt', promptTokens: 3, cachedTokens: 0 },
      { type: 'end', finishReason: 'length', completionTokens: 0 },
    ])
  })
})

describe('log probabilities', () => {
  it('are the model’s own, whatever the sampling', async () => {
    const settings: Sampling[] = [
      random,
      { ...random, temperature: 2, topP: 0.5 },
      { ...random, topK: 1, presencePenalty: 1 },
      { ...greedy, logitBias: [[3, 5]] },
    ]
    for (const sampling of settings) {
      const { logprobs } = await run(chain, say('R'), { sampling, logprobs: 2, maxTokens: 5 })
      expect(logprobs).toHaveLength(5)
      for (const { token, logprob, top } of logprobs) {
        expect([' x', ' y']).toContain(token)
        // Two equal logits far above all others: each has nearly one half.
        expect(logprob).toBeCloseTo(Math.log(0.5), 2)
        expect(top.map((chance) => chance.token).toSorted()).toEqual([' x', ' y'])
        expect(logprob).toBe(top.find((chance) => chance.token === token)?.logprob)
      }
    }
  })

  it('change no draw', async () => {
    const settings: Partial<GenerateRequest>[] = [
      { sampling: random },
      { sampling: { ...random, temperature: 1.5, topP: 0.9, topK: 40, minP: 0.01, repeatPenalty: 1.1 } },
      { sampling: { ...random, frequencyPenalty: 0.5 }, grammar: { gbnf: 'root ::= [a-z ]+ "."' } },
    ]
    for (const changes of settings) {
      const without = await run(tiny, say('Hello!'), changes)
      const told = await run(tiny, say('Hello!'), { ...changes, logprobs: 5 })
      expect(told.text).toBe(without.text)
      expect(told.end).toEqual(without.end)
      expect(joined(told.logprobs)).toBe(told.text)
    }
  })

  it('add up to no more than one, in order', async () => {
    const { logprobs } = await run(tiny, say('Hello!'), { logprobs: 20, sampling: random })
    for (const { top, logprob } of logprobs) {
      expect(top).toHaveLength(20)
      expect(top.map((chance) => chance.logprob)).toEqual(
        top.map((chance) => chance.logprob).toSorted((a, b) => b - a),
      )
      const sum = top.reduce((total, chance) => total + Math.exp(chance.logprob), 0)
      expect(sum).toBeLessThanOrEqual(1 + 1e-4)
      expect(logprob).toBeLessThanOrEqual(0)
      expect(Number.isFinite(logprob)).toBe(true)
    }
  })

  it('tell of a banned token how likely it was', async () => {
    const sampling: Sampling = {
      ...greedy,
      logitBias: [
        [6, -100],
        [2, -100],
      ],
    }
    const { logprobs } = await run(chain, say('S'), {
      sampling,
      logprobs: 1,
      maxTokens: 6,
      specialText: true,
    })
    const last = logprobs.at(-1)
    expect(last?.top[0]?.token).toBe('<|end|>')
    expect(last?.logprob).toBeLessThan(-10)
  })

  it('are told with the bytes of split characters', async () => {
    const { events, logprobs } = await run(chain, say('E'), { logprobs: 0 })
    expect(logprobs.map(({ token, bytes, top }) => [token, bytes, top])).toEqual([
      ['\uFFFD', [0xf0], []],
      ['\uFFFD', [0x9f], []],
      ['\uFFFD', [0x98], []],
      ['\uFFFD', [0x80], []],
      ['!', [0x21], []],
    ])
    expect(events.filter((event) => event.type === 'text').map(({ logprobs: own }) => own?.length)).toEqual([
      4, 1,
    ])
  })

  it.each([
    [' two th', 'One', ['One']],
    ['two three', 'One ', ['One', ' ']],
    ['wo', 'One t', ['One', ' t']],
  ])('end with the text before the stop string "%s"', async (stop, text, tokens) => {
    const outcome = await run(chain, say('S'), { logprobs: 0, stop: [stop] })
    expect(outcome.text).toBe(text)
    expect(outcome.logprobs.map(({ token }) => token)).toEqual(tokens)
  })

  it('tell a token among the likeliest as it is shown', async () => {
    const { logprobs } = await run(spaced, say('A'), { logprobs: 1, maxTokens: 2 })
    expect(logprobs.map(({ token, top }) => [token, top[0]?.token])).toEqual([
      ['two', 'two'],
      [' three', ' three'],
    ])
  })

  it('leave out a character that the limit cut, and tokens that are not shown', async () => {
    expect((await run(chain, say('E'), { logprobs: 0, maxTokens: 3 })).logprobs).toEqual([])
    const hidden = await run(chain, say('K'), { logprobs: 0, maxTokens: 2 })
    expect(hidden.logprobs.map(({ token }) => token)).toEqual(['!'])
    const shown = await run(chain, say('K'), { logprobs: 0, maxTokens: 2, specialText: true })
    expect(shown.logprobs.map(({ token }) => token)).toEqual(['<|system|>', '!'])
    expect(shown.text).toBe('<|system|>!')
  })
})

describe('echo', () => {
  const text: Prompt = { kind: 'text', text: 'The book is red' }

  it('tells the prompt', async () => {
    const { events } = await run(tiny, text, { echo: true, maxTokens: 1 })
    expect(events.map(({ type }) => type)).toEqual(['prompt', 'echo', 'text', 'end'])
    expect(events[1]).toEqual({ type: 'echo', text: 'The book is red' })
  })

  it('tells how likely each of its tokens was: as likely as when the model said it', async () => {
    const begun: Prompt = { kind: 'text', text: 'The book is' }
    const said = await run(tiny, begun, { logprobs: 3, maxTokens: 4 })
    const whole: Prompt = { kind: 'text', text: begun.text + said.text }
    const { events } = await run(tiny, whole, { echo: true, logprobs: 3, maxTokens: 0 })
    const echo = events[1]
    if (echo?.type !== 'echo' || !echo.logprobs) throw new Error('an echo is told')
    const tail = echo.logprobs.slice(-said.logprobs.length)
    expect(tail.map((entry) => entry?.token)).toEqual(said.logprobs.map(({ token }) => token))
    for (const [index, entry] of tail.entries()) {
      expect(entry?.logprob).toBeCloseTo(said.logprobs[index]?.logprob ?? 1, 3)
      expect(entry?.top.map(({ token }) => token)).toEqual(
        said.logprobs[index]?.top.map(({ token }) => token),
      )
    }
  })

  it('has one entry for each token and all of the text', async () => {
    const { events } = await run(tiny, text, { echo: true, logprobs: 2, maxTokens: 0 })
    const echo = events[1]
    if (echo?.type !== 'echo' || !echo.logprobs) throw new Error('an echo is told')
    expect(echo.logprobs).toHaveLength(await tiny.count(text, never()))
    expect(echo.first + joined(echo.logprobs.filter((entry) => entry !== null))).toBe(echo.text)
  })

  it('does not come from a sequence that another request has left', async () => {
    const changes = { echo: true, logprobs: 0, maxTokens: 0, cacheKey: 'me' }
    await run(tiny, text, { cacheKey: 'me', maxTokens: 1 })
    const { events } = await run(tiny, text, changes)
    expect(events[0]).toMatchObject({ cachedTokens: 0 })
  })
})

describe('a prompt', () => {
  it('of text is continued, with the space between, which an answer does not begin with', async () => {
    const continued = await run(spaced, { kind: 'text', text: 'A' }, { maxTokens: 2 })
    expect(continued.text).toBe(' two three')
    expect((await run(spaced, say('A'), { maxTokens: 2 })).text).toBe('two three')
  })

  it('of text holds control tokens as their letters', async () => {
    const one = await chain.count({ kind: 'text', text: 'S' }, never())
    expect(await chain.count({ kind: 'text', text: '<|end|>S' }, never())).toBe(one + '<|end|>'.length)
  })

  it('of tokens is taken as it is', async () => {
    const { events } = await run(chain, { kind: 'tokens', tokens: [4] }, { maxTokens: 1 })
    expect(events[0]).toMatchObject({ promptTokens: 1 })
  })

  it.each([-1, 0.5, 1e9])('of tokens with %s is refused', async (token) => {
    const refused = run(chain, { kind: 'tokens', tokens: [1, token] })
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_BAD_TOKEN',
      message: expect.stringContaining(`${token}`),
    })
  })

  it('without tokens is refused', async () => {
    const refused = run(chain, { kind: 'tokens', tokens: [] })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED_PROMPT' })
  })

  it('with a middle to fill in is written with the model’s marks, or refused where it has none', async () => {
    expect(chain.info.infill).toBe(true)
    expect(tiny.info.infill).toBeUndefined()
    const prompt: Prompt = { kind: 'text', text: 'S', suffix: 'R' }
    const { events, text } = await run(chain, prompt)
    // <s> <|prefix|> S <|suffix|> R <|middle|>
    expect(events[0]).toMatchObject({ promptTokens: 6 })
    expect(text).toBe('One two three four five')
    await expect(run(tiny, prompt)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED_PROMPT' })
  })
})

describe('a grammar', () => {
  it.each([greedy, random, { ...random, temperature: 2, topK: 5 }])('is kept to: %o', async (sampling) => {
    const gbnf = 'root ::= "{\\"n\\":" [1-9] [0-9]{0,3} ",\\"s\\":\\"" [a-zé]{2,9} "\\"}"'
    const { text, end, logprobs } = await run(tiny, say('Hello!'), {
      sampling,
      grammar: { gbnf },
      logprobs: 1,
    })
    expect(JSON.parse(text)).toEqual({ n: expect.any(Number), s: expect.stringMatching(/^[a-zé]{2,9}$/) })
    expect(end.finishReason).toBe('stop')
    expect(joined(logprobs)).toBe(text)
  })

  it('ends the answer where it is complete, and before that only by a limit', async () => {
    const complete = await run(chain, say('R'), { grammar: { gbnf: 'root ::= " x x"' } })
    expect(complete).toMatchObject({ text: ' x x', end: { finishReason: 'stop', completionTokens: 2 } })
    const cut = await run(chain, say('R'), { grammar: { gbnf: 'root ::= " x"+' }, maxTokens: 5 })
    expect(cut).toMatchObject({ text: ' x'.repeat(5), end: { finishReason: 'length' } })
  })

  it('is kept to by what is shown: control tokens are text to it', async () => {
    const { text } = await run(chain, say('K'), { grammar: { gbnf: 'root ::= "<|system|>" "!"' } })
    expect(text).toBe('<|system|>!')
  })

  it.each([
    ['nothing', ''],
    ['no root', 'start ::= "a"'],
    ['an unknown rule', 'root ::= other'],
    ['left recursion', 'root ::= root "a" | "a"'],
    ['too many repetitions', 'root ::= "a"{100000}'],
    ['an open literal', 'root ::= "a'],
    ['groups within groups', `root ::= ${'('.repeat(30_000)}"a"${')'.repeat(30_000)}`],
    ['more than is read', `root ::= "${'a'.repeat(maxGrammarLength)}"`],
  ])('with %s is refused before the prompt', async (_, gbnf) => {
    const refused = chain.generate(
      { prompt: say('S'), maxPromptTokens: 400, maxTokens: 5, sampling: greedy, stop: [], grammar: { gbnf } },
      never(),
    )
    await expect(refused.next()).rejects.toMatchObject({ code: 'ERR_BAD_GRAMMAR' })
    expect((await run(chain, say('S'))).text).toBe('One two three four five')
  })

  it('that the bias makes impossible ends with an error, beside others that go on', async () => {
    const prompt: Prompt = { kind: 'tokens', tokens: [1, 4] }
    const banned = Array.from({ length: chain.info.vocabularySize }, (_, token) => [token, -100] as const)
    for (const sampling of [greedy, random]) {
      const impossible = run(chain, prompt, {
        grammar: { gbnf: 'root ::= "a"+' },
        sampling: { ...sampling, logitBias: banned },
      })
      const [refused, fine] = await Promise.allSettled([impossible, run(chain, say('S'))])
      expect(refused).toMatchObject({ reason: { code: 'ERR_BAD_GRAMMAR' } })
      expect(fine).toMatchObject({ value: { text: 'One two three four five' } })
    }
  })
})

describe('a grammar with a trigger', () => {
  it('holds from the trigger on', async () => {
    const grammar = { gbnf: 'root ::= ("never" | "help ") [0-9]+ "!"', triggers: ['never', 'help'] }
    const { text, end } = await run(tiny, say('Hello!'), { grammar })
    expect(text).toMatch(/^Hello! I am Chrysalis Tiny\. How can I help [0-9]+!?$/)
    expect(end.finishReason).toMatch(/stop|length/)
  })

  it('holds no token before, and not at all without one', async () => {
    const grammar = { gbnf: 'root ::= "xyz" [0-9]', triggers: ['xyz'] }
    expect((await run(tiny, say('Hello!'), { grammar })).text).toBe((await run(tiny, say('Hello!'))).text)
  })

  it('counts the letters of a control token, which is shown', async () => {
    const grammar = { gbnf: 'root ::= "<|tool|>" "{\\"a\\":" [0-9] "}"', triggers: ['<|tool|>'] }
    const { text, end } = await run(chain, say('C'), { grammar, specialText: true })
    expect(text).toMatch(/^<\|tool\|>\{"a":[0-9]\}$/)
    expect(end.finishReason).toBe('stop')
  })

  it('is kept to by what is shown from the trigger on', async () => {
    const grammar = { gbnf: 'root ::= "One" "<|system|>" "!"', triggers: ['One'] }
    expect((await run(chain, say('S'), { grammar })).text).toBe('One<|system|>!')
  })

  it('forgets no token that was drawn before', async () => {
    const grammar = { gbnf: 'root ::= (" x" | " y")+', triggers: [' x', ' y'] }
    const { text } = await run(chain, say('R'), {
      grammar,
      sampling: { ...greedy, presencePenalty: 1 },
      maxTokens: 2,
    })
    expect([' x y', ' y x']).toContain(text)
  })

  it('goes on behind a trigger in the middle of a token', async () => {
    const grammar = { gbnf: 'root ::= "<call>no" "yes"', triggers: ['<call>'] }
    const { text, logprobs } = await run(chain, say('T'), { grammar, logprobs: 0 })
    expect(text).toBe('say <call>noyes')
    expect(joined(logprobs)).toBe(text)
  })

  it('takes back what it refuses behind a trigger in the middle of a token', async () => {
    const grammar = { gbnf: 'root ::= "<call>" [1-3]', triggers: ['<call>'] }
    const { text, end, logprobs } = await run(chain, say('T'), { grammar, logprobs: 0 })
    // 2 is what follows the letter >, so the model has gone on from there.
    expect(text).toBe('say <call>2')
    expect(end).toMatchObject({ finishReason: 'stop', completionTokens: 2 })
    expect(joined(logprobs)).toBe(text)
  })

  it.each([
    ['does not begin with it', { gbnf: 'root ::= "a"', triggers: ['b'] }],
    ['has an empty one', { gbnf: 'root ::= "a"', triggers: [''] }],
  ])('that %s is refused', async (_, grammar) => {
    await expect(run(chain, say('S'), { grammar })).rejects.toMatchObject({ code: 'ERR_BAD_GRAMMAR' })
  })
})

describe('counting', () => {
  it('tells what a prompt will have', async () => {
    const prompts: Prompt[] = [
      say('Hello!'),
      { kind: 'text', text: 'Hello!' },
      { kind: 'tokens', tokens: [1, 2, 3] },
    ]
    for (const prompt of prompts) {
      const { events } = await run(tiny, prompt, { maxTokens: 0 })
      expect(events[0]).toMatchObject({ promptTokens: await tiny.count(prompt, never()) })
    }
  })

  it('refuses what no context holds, and what was cancelled', async () => {
    await expect(tiny.count(say('a '.repeat(2000)), never())).rejects.toMatchObject({
      code: 'ERR_PROMPT_TOO_LONG',
    })
    await expect(tiny.count(say('a'), AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })
})

describe('embeddings', () => {
  const embed = (text: string, maxTokens = 100) => tiny.embed({ text }, maxTokens, never())
  const cosine = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)

  it('have length 1, the same for the same text, others for others', async () => {
    const [one, same, other] = await Promise.all([
      embed('The book is red.'),
      embed('The book is red.'),
      embed('Where?'),
    ])
    expect(one.vector).toBeInstanceOf(Float32Array)
    expect(one.vector).toHaveLength(tiny.info.embeddingLength)
    expect(cosine(one.vector, one.vector)).toBeCloseTo(1, 5)
    expect(same.vector).toEqual(one.vector)
    expect(cosine(one.vector, other.vector)).toBeLessThan(0.99)
    expect(one.tokens).toBe(await tiny.count({ kind: 'text', text: 'The book is red.' }, never()))
  })

  it('are computed while generations run, which go on', async () => {
    const stop = new AbortController()
    let tokens = 0
    const follow = async () => {
      while (!stop.signal.aborted) {
        const request = {
          prompt: say('Hello!'),
          maxPromptTokens: 400,
          maxTokens: 100,
          sampling: random,
          stop: [],
        }
        for await (const event of tiny.generate(request, stop.signal)) if (event.type === 'text') tokens++
      }
    }
    const endless = Array.from({ length: 4 }, follow)
    for (let i = 0; i < 5; i++) {
      const before = tokens
      await embed(`Number ${i}`)
      while (tokens === before) await tiny.stats()
    }
    stop.abort()
    await Promise.allSettled(endless)
  })

  it('of too long a text are refused with its length', async () => {
    await expect(embed('a b c d e f g h', 5)).rejects.toMatchObject({ code: 'ERR_PROMPT_TOO_LONG', limit: 5 })
    await expect(embed('a '.repeat(5000), 100_000)).rejects.toMatchObject({ code: 'ERR_PROMPT_TOO_LONG' })
    await expect(tiny.embed({ tokens: [5000] }, 10, never())).rejects.toMatchObject({ code: 'ERR_BAD_TOKEN' })
  })

  it('are counted beforehand as they will be read', async () => {
    const { tokens } = await embed('The book is red.')
    expect(await tiny.countInput({ text: 'The book is red.' }, never())).toBe(tokens)
    const tooLong = tiny.countInput({ text: 'a '.repeat(5000) }, never())
    await expect(tooLong).rejects.toMatchObject({ code: 'ERR_PROMPT_TOO_LONG' })
  })

  it('are not waited for once cancelled', async () => {
    const cancel = new AbortController()
    const waiting = Array.from({ length: 3 }, () => tiny.embed({ text: 'a' }, 10, cancel.signal))
    cancel.abort()
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({ reason: { code: 'ERR_CANCELLED' } })
    }
    expect((await embed('a')).tokens).toBeGreaterThan(0)
  })
})
