import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelPatienceMs } from './client.ts'
import { type ChildEngine, startEngine, windowEvents } from './index.ts'
import { byteToken, chainModel } from './testing/chain-model.ts'
import type { EngineEvent, GenerateRequest } from './types.ts'

/** The last letter of the user's text chooses the answer. */
const chains = {
  // a smile of four byte tokens
  E: [byteToken(0xf0)],
  [byteToken(0xf0)]: [byteToken(0x9f)],
  [byteToken(0x9f)]: [byteToken(0x98)],
  [byteToken(0x98)]: [byteToken(0x80)],
  [byteToken(0x80)]: ['!'],
  // five words
  S: ['One'],
  One: [' two'],
  ' two': [' three'],
  ' three': [' four'],
  ' four': [' five'],
  ' five': ['<|end|>'],
  // for ever
  L: [' tick'],
  ' tick': [' tock'],
  ' tock': [' tick'],
  // by chance
  R: [' x', ' y'],
  ' x': [' x', ' y'],
  ' y': [' x', ' y'],
  // a prefix of many tokens
  P: ['!'],
}
const contextLength = 512
const sequences = 10

let folder: string
let modelPath: string
let engine: ChildEngine

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrysalis-engine-'))
  modelPath = join(folder, 'chain.gguf')
  writeFileSync(modelPath, chainModel({ chains, contextLength }))
  engine = await start()
})

afterAll(async () => {
  await engine?.close()
  await rm(folder, { recursive: true, force: true })
})

function start(path = modelPath): Promise<ChildEngine> {
  return startEngine({ modelPath: path, gpu: 'off', sequences, threads: 1 })
}

function request(content: string, changes: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    prompt: { kind: 'chat', messages: [{ role: 'user', content }] },
    maxPromptTokens: 256,
    maxTokens: 100,
    sampling: { temperature: 0, topP: 1, presencePenalty: 0, frequencyPenalty: 0 },
    stop: [],
    ...changes,
  }
}

async function collect(
  content: string,
  changes: Partial<GenerateRequest> = {},
  on: ChildEngine = engine,
): Promise<EngineEvent[]> {
  const events: EngineEvent[] = []
  for await (const event of on.generate(request(content, changes), new AbortController().signal)) {
    events.push(event)
  }
  return events
}

function textOf(events: readonly EngineEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.text : '')).join('')
}

function promptOf(events: readonly EngineEvent[]): EngineEvent & { type: 'prompt' } {
  const [first] = events
  if (first?.type !== 'prompt') throw new Error('the first event is the prompt event')
  return first
}

/** Asks the child until it says so; each question is a round trip, so this waits for events, not for time. */
async function until(holds: (stats: Awaited<ReturnType<ChildEngine['stats']>>) => boolean): Promise<void> {
  while (!holds(await engine.stats()));
}

/** Not gone, and not merely waiting for someone to read its exit status. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('what an engine says about its model', () => {
  it('names and measures it', () => {
    expect(engine.info).toMatchObject({
      id: 'chain-model',
      quantization: 'F32',
      contextLength,
      promptStyle: 'jinja',
    })
    expect(engine.info.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(engine.accelerator).toBe('cpu')
  })
})

describe('text', () => {
  it('comes to its end with all counts', async () => {
    const events = await collect('S')
    expect(promptOf(events)).toEqual({ type: 'prompt', promptTokens: 3, cachedTokens: 0 })
    expect(textOf(events)).toBe('One two three four five')
    expect(events.at(-1)).toEqual({ type: 'end', finishReason: 'stop', completionTokens: 5 })
  })

  it('shows an emoji of four tokens as one character', async () => {
    const events = await collect('E')
    expect(events.filter((event) => event.type === 'text')).toEqual([
      { type: 'text', text: '😀', tokens: 4 },
      { type: 'text', text: '!', tokens: 1 },
    ])
  })

  it('drops a character that the token limit cut', async () => {
    const events = await collect('E', { maxTokens: 3 })
    expect(textOf(events)).toBe('')
    expect(events.at(-1)).toEqual({ type: 'end', finishReason: 'length', completionTokens: 3 })
  })

  it.each([
    [' two th', 'One'],
    ['two three', 'One '],
    ['four', 'One two three '],
    ['five?', 'One two three four five'],
    [' ', 'One'],
  ])('ends before the stop string "%s"', async (stop, expected) => {
    expect(textOf(await collect('S', { stop: ['never', stop] }))).toBe(expected)
  })

  it('counts the tokens of a stop string, which it computed', async () => {
    const events = await collect('S', { stop: [' two th'] })
    expect(events.at(-1)).toEqual({ type: 'end', finishReason: 'stop', completionTokens: 3 })
  })

  it('ends at maxTokens, and at what limit() allows', async () => {
    expect(textOf(await collect('S', { maxTokens: 2 }))).toBe('One two')
    const limited = await collect('S', { limit: (promptTokens) => promptTokens - 2 })
    expect(textOf(limited)).toBe('One')
    expect(limited.at(-1)).toMatchObject({ finishReason: 'length', completionTokens: 1 })
  })

  it('ends where the context is full', async () => {
    const events = await collect('L', { maxTokens: 10_000 })
    expect(events.at(-1)).toMatchObject({ finishReason: 'length', completionTokens: contextLength - 3 })
  })
})

describe('a prompt', () => {
  it('that is too long is refused with its length', async () => {
    const wanted = { code: 'ERR_PROMPT_TOO_LONG', promptTokens: 12, limit: 11 }
    await expect(collect('PPPPPPPPPP', { maxPromptTokens: 11 })).rejects.toMatchObject(wanted)
    await expect(collect('S'.repeat(contextLength))).rejects.toMatchObject({ code: 'ERR_PROMPT_TOO_LONG' })
  })

  it('far too long is refused without being tokenized', async () => {
    await expect(collect('x'.repeat(5_000_000))).rejects.toMatchObject({ code: 'ERR_PROMPT_TOO_LONG' })
  })

  it.each(['<|end|>', '</s>', '<|assistant|>', '<|tool|>'])(
    'holds %s as its letters only',
    async (marker) => {
      const plain = promptOf(await collect('S')).promptTokens
      const events = await collect(`${marker}S`)
      // No letter of it is in the vocabulary: one byte token each, where the marker itself would be one token.
      expect(promptOf(events).promptTokens).toBe(plain + marker.length)
      expect(textOf(events)).toBe('One two three four five')
    },
  )

  it('that leaves no room for output is refused', async () => {
    await expect(collect('S', { limit: () => 0 })).rejects.toMatchObject({ code: 'ERR_NO_OUTPUT_ROOM' })
    const thrown = new Error('mine')
    const limit = () => {
      throw thrown
    }
    await expect(collect('S', { limit })).rejects.toBe(thrown)
  })

  it('runs through one evaluation piece after the other', async () => {
    expect(textOf(await collect(`${'P'.repeat(300)}S`, { maxPromptTokens: 400 }))).toBe(
      'One two three four five',
    )
  })
})

describe('sampling', () => {
  const random = (seed?: number) =>
    collect('R', {
      maxTokens: 40,
      sampling: { temperature: 1, topP: 1, presencePenalty: 0, frequencyPenalty: 0, ...(seed && { seed }) },
    }).then(textOf)

  it('repeats itself for a seed, and not without', async () => {
    expect(await random(7)).toBe(await random(7))
    expect(await random(7)).not.toBe(await random(2 ** 40))
    expect(await random()).not.toBe(await random())
  })

  it('is kept from repeating by a penalty', async () => {
    const sampling = { temperature: 0, topP: 1, presencePenalty: 0, frequencyPenalty: 2 }
    const text = textOf(await collect('R', { maxTokens: 40, sampling }))
    expect(text.split(' x').length).toBe(21)
    const greedy = textOf(await collect('R', { maxTokens: 40 }))
    expect([' x'.repeat(40), ' y'.repeat(40)]).toContain(greedy)
  })
})

describe('prompt prefixes', () => {
  const long = 'P'.repeat(40)
  const cached = async (cacheKey?: string) =>
    promptOf(await collect(`${long}S`, cacheKey === undefined ? {} : { cacheKey })).cachedTokens

  it('are reused under the same key only', async () => {
    expect(await cached('alice')).toBe(0)
    expect(await cached('alice')).toBe(42)
    expect(await cached('bob')).toBe(0)
    expect(await cached()).toBe(0)
    expect(await cached()).toBe(0)
    expect(await cached('alice')).toBe(42)
  })
})

describe('many streams', () => {
  it('share their batches', async () => {
    const before = (await engine.stats()).batches
    await Promise.all(Array.from({ length: 8 }, () => collect('L', { maxTokens: 100 })))
    const after = (await engine.stats()).batches
    const added = after.map((count, size) => count - (before[size] ?? 0))
    const all = added.reduce((sum, count, size) => sum + count * size, 0)
    expect(all).toBeGreaterThanOrEqual(800)
    // Each of them generates 100 tokens; together they do in 8 wide batches, but for start and end.
    expect((added[8] ?? 0) * 8).toBeGreaterThan(0.8 * all)
  })

  it('do not keep a new one waiting', async () => {
    // Every sequence has been used before, so the new one has to clear its own under load.
    await Promise.all(Array.from({ length: sequences }, () => collect('S')))
    const stop = new AbortController()
    let tokens = 0
    const endless = Array.from({ length: 8 }, async () => {
      for await (const _ of engine.generate(request('L', { maxTokens: 500 }), stop.signal)) tokens++
    })
    await until(({ running }) => running.length === 8)
    const before = tokens
    expect(textOf(await collect('S'))).toBe('One two three four five')
    // It takes about ten rounds, not the hundreds that the others still have before them.
    expect(tokens - before).toBeLessThan(8 * 150)
    stop.abort()
    await Promise.allSettled(endless)
  })

  it('wait when there are more than sequences', async () => {
    const all = await Promise.all(Array.from({ length: sequences + 6 }, () => collect('S')))
    expect(all.map(textOf)).toEqual(all.map(() => 'One two three four five'))
  })
})

describe('a slow reader', () => {
  it('stops its own stream at the window, and no other', async () => {
    const slow = engine.generate(request('L', { maxTokens: 200 }), new AbortController().signal)
    await slow.next()
    await slow.next()
    await until(({ running }) => running[0]?.stalled === true)
    expect(textOf(await collect('S'))).toBe('One two three four five')
    const { running } = await engine.stats()
    expect(running).toMatchObject([{ stalled: true }])
    expect(running[0]?.tokens).toBeLessThanOrEqual(windowEvents)
    let tokens = 1
    for await (const event of slow) if (event.type === 'text') tokens += event.tokens
    expect(tokens).toBe(200)
  })
})

describe('cancelling', () => {
  it('by signal stops the model within one token', async () => {
    const before = (await engine.stats()).cancelled
    const cancel = new AbortController()
    let seen = 0
    const reading = async () => {
      for await (const _ of engine.generate(request('L', { maxTokens: 400 }), cancel.signal)) {
        if (++seen === 100) cancel.abort()
      }
    }
    await expect(reading()).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(seen).toBe(100)
    await until(({ cancelled }) => cancelled === before + 1)
    expect((await engine.stats()).tokensAfterCancel).toBeLessThanOrEqual(1)
  })

  it('by leaving the loop frees the sequence', async () => {
    const before = (await engine.stats()).cancelled
    for await (const event of engine.generate(request('L'), new AbortController().signal)) {
      if (event.type === 'text') break
    }
    await until(({ cancelled, running }) => cancelled === before + 1 && running.length === 0)
  })

  it('before the start does nothing at all', async () => {
    const events = engine.generate(request('L'), AbortSignal.abort())
    await expect(events.next()).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })

  it('in the middle of a long prompt does not wait for it', async () => {
    const before = (await engine.stats()).cancelled
    const cancel = new AbortController()
    const limit = () => {
      queueMicrotask(() => cancel.abort())
      return 10
    }
    const long = request(`${'P'.repeat(450)}S`, { maxPromptTokens: 500, limit })
    const reading = async () => {
      for await (const event of engine.generate(long, cancel.signal)) expect(event.type).toBe('prompt')
    }
    await expect(reading()).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await until(({ cancelled, running }) => cancelled > before && running.length === 0)
  })

  it('before the first token leaves nothing that is cheaper the next time', async () => {
    const content = `${'P'.repeat(450)}S`
    const same = { maxPromptTokens: 500, cacheKey: 'taken back' }
    const cancel = new AbortController()
    // After the question for statistics is answered, some of the prompt has been read.
    const reading = async () => {
      for await (const event of engine.generate(request(content, same), cancel.signal)) {
        expect(event.type).toBe('prompt')
        void engine.stats().then(() => cancel.abort())
      }
    }
    await expect(reading()).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await until(({ running }) => running.length === 0)
    expect(promptOf(await collect(content, same)).cachedTokens).toBe(0)
    expect(promptOf(await collect(content, same)).cachedTokens).toBeGreaterThan(400)
  })
})

describe('the process', () => {
  it.skipIf(process.platform !== 'linux')('writes no core file and keeps the model in private memory', () => {
    const core = readFileSync(`/proc/${engine.pid}/limits`, 'utf8').match(
      /^Max core file size\s+(\d+)\s+(\d+)/m,
    )
    expect(core?.slice(1)).toEqual(['0', '0'])
    expect(engine.weights).toBe('private-memory')
    const maps = readFileSync(`/proc/${engine.pid}/maps`, 'utf8')
    expect(maps).not.toContain(modelPath)
    expect(readdirSync('/dev/shm').filter((name) => name.includes('chrysalis'))).toEqual([])
  })

  it.skipIf(process.platform === 'win32')('takes no notice of Ctrl-C', async () => {
    process.kill(engine.pid, 'SIGINT')
    process.kill(engine.pid, 'SIGTERM')
    expect(textOf(await collect('S'))).toBe('One two three four five')
  })

  it('that is killed fails what runs, and can be started again', async () => {
    const doomed = await start()
    const stream = doomed.generate(request('L', { maxTokens: 400 }), new AbortController().signal)
    await stream.next()
    process.kill(doomed.pid, 'SIGKILL')
    const rest = async () => {
      for await (const _ of stream);
    }
    await expect(rest()).rejects.toMatchObject({ code: 'ERR_ENGINE_LOST' })
    await expect(doomed.closed).resolves.toEqual({ expected: false, exitCode: null, signal: 'SIGKILL' })
    await expect(collect('S', {}, doomed)).rejects.toMatchObject({ code: 'ERR_ENGINE_LOST' })
    const again = await start()
    expect(textOf(await collect('S', {}, again))).toBe('One two three four five')
    await again.close()
    await again.close()
    await expect(again.closed).resolves.toMatchObject({ expected: true })
    await expect(collect('S', {}, again)).rejects.toMatchObject({ code: 'ERR_ENGINE_CLOSED' })
  })

  it.skipIf(process.platform === 'win32')('ends when its parent is killed', async () => {
    const index = new URL('./index.ts', import.meta.url).href
    const options = JSON.stringify({ modelPath, gpu: 'off', threads: 1, sequences: 1 })
    const script = `
      import { startEngine } from ${JSON.stringify(index)}
      console.log((await startEngine(${options})).pid)
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line))
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve))
  })

  it('answers in full after all of this', async () => {
    expect(textOf(await collect('S'))).toBe('One two three four five')
  })
})

describe('a file that is no model', () => {
  const file = (name: string, bytes: Uint8Array) => {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  }

  it.each([
    ['empty', () => new Uint8Array(0)],
    ['text', () => Buffer.from('<html>not found</html>'.repeat(100))],
    ['magic only', () => Buffer.from('GGUF')],
    ['cut in its header', () => chainModel({ chains }).subarray(0, 3000)],
    ['cut in its weights', () => chainModel({ chains }).subarray(0, 500_000)],
    ['full of NaN', () => chainModel({ chains, damage: 'nan' })],
    ['such that llama.cpp aborts', () => chainModel({ chains, damage: 'no-heads' })],
  ])('%s is refused', async (name, bytes) => {
    const path = file(`${name.replaceAll(' ', '-')}.gguf`, bytes())
    await expect(start(path)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
  })

  it('is refused when it is not there or no file', async () => {
    await expect(start(join(folder, 'absent.gguf'))).rejects.toMatchObject({ code: 'ERR_MODEL_UNREADABLE' })
    await expect(start(folder)).rejects.toMatchObject({ code: 'ERR_MODEL_UNREADABLE' })
  })
})

describe('a child that hangs', () => {
  /** Timers that fire when the test says so. */
  class Timers {
    readonly set: { ms: number; fire: () => void }[] = []
    readonly #changed: (() => void)[] = []

    readonly after = (ms: number, fire: () => void): (() => void) => {
      const timer = { ms, fire }
      this.set.push(timer)
      return () => {
        this.set.splice(this.set.indexOf(timer), 1)
        for (const resolve of this.#changed.splice(0)) resolve()
      }
    }

    async empty(): Promise<void> {
      while (this.set.length > 0) await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  const begin = async (on: ChildEngine) => {
    const events = on.generate(request('L', { maxTokens: 400 }), new AbortController().signal)
    await events.next()
    return events
  }

  it.skipIf(process.platform === 'win32')(
    'while it should cancel is killed; one that cancels is not',
    async () => {
      const timers = new Timers()
      const codes: string[] = []
      const options = { modelPath, gpu: 'off', sequences: 2, threads: 1, after: timers.after } as const
      const own = await startEngine({ ...options, onDiagnostic: (code) => codes.push(code) })
      // The timer of the start is gone.
      expect(timers.set).toEqual([])
      await (await begin(own)).return(undefined)
      expect(timers.set).toMatchObject([{ ms: cancelPatienceMs }])
      await timers.empty()

      const left = await begin(own)
      const other = await begin(own)
      process.kill(own.pid, 'SIGSTOP')
      await left.return(undefined)
      timers.set[0]?.fire()
      expect(await own.closed).toEqual({ expected: false, exitCode: null, signal: 'SIGKILL' })
      expect(codes).toContain('engine-hung')
      expect(timers.set).toEqual([])
      const rest = async () => {
        for await (const _ of other);
      }
      await expect(rest()).rejects.toMatchObject({ code: 'ERR_ENGINE_LOST' })
    },
  )

  it('while it loads is given up', async () => {
    const after = (_: number, late: () => void) => {
      queueMicrotask(late)
      return () => {}
    }
    await expect(startEngine({ modelPath, gpu: 'off', threads: 1, startMs: 3000, after })).rejects.toThrow(
      'did not load the model within 3 seconds',
    )
  })
})

describe('options', () => {
  it('out of range are refused by name', async () => {
    const wrong = { modelPath, gpu: 'off', threads: 1 } as const
    await expect(startEngine({ ...wrong, sequences: 0 })).rejects.toThrow('sequences')
    await expect(startEngine({ ...wrong, contextLength: contextLength + 1 })).rejects.toThrow('contextLength')
    await expect(startEngine({ ...wrong, modelId: 'my model' })).rejects.toThrow('--model-id')
  })

  it('ask for CUDA or fail', async () => {
    const outcome = await startEngine({ modelPath, gpu: 'cuda', threads: 1 }).then(
      async (started) => {
        await started.close()
        return started.accelerator
      },
      (cause: { code: string }) => cause.code,
    )
    expect(['cuda', 'ERR_ENGINE_START']).toContain(outcome)
  })
})
