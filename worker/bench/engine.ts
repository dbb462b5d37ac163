/**
 * Tokens a second of the engine at 1, 4 and 16 streams, with the library's own batch order and with ours, in one
 * run, interleaved: `node worker/bench/engine.ts [--model PATH] [--threads N] [--gpu auto|cuda|off] [--json]`.
 */

import { parseArgs } from 'node:util'
import { type ChildEngine, embeddedModel, type GpuChoice, startEngine } from '../engine/index.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: embeddedModel.path },
    threads: { type: 'string', default: '1' },
    gpu: { type: 'string', default: 'off' },
    prompt: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '256' },
    repeats: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})

const streams = [1, 4, 16] as const
const orders = ['naive', 'sorted'] as const
const promptTokens = Number(values.prompt)
const outputTokens = Number(values.tokens)

interface Measured {
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  readonly meanBatch: number
}

/** One stream: tokens generated, and milliseconds to the first. Random text and temperature 1: no two alike. */
async function stream(engine: ChildEngine, index: number): Promise<{ tokens: number; firstMs: number }> {
  const started = performance.now()
  const words = Array.from({ length: promptTokens }, (_, word) =>
    String.fromCharCode(97 + ((index * 7 + word) % 26)),
  )
  const request = {
    prompt: { kind: 'chat', messages: [{ role: 'user', content: words.join(' ') }] },
    maxPromptTokens: 4096,
    maxTokens: 64,
    sampling: { temperature: 2, topP: 1, presencePenalty: 0, frequencyPenalty: 0, seed: index },
    stop: [],
  } as const
  let tokens = 0
  let firstMs = 0
  for await (const event of engine.generate(request, new AbortController().signal)) {
    if (event.type === 'text' && tokens === 0) firstMs = performance.now() - started
    if (event.type === 'text') tokens += event.tokens
    if (event.type === 'end') tokens = event.completionTokens
  }
  return { tokens, firstMs }
}

/** `count` streams all the time: one that ends is followed by the next, until each has had its tokens. */
async function measure(engine: ChildEngine, count: number): Promise<Measured> {
  const before = await engine.stats()
  const firsts: number[] = []
  let tokens = 0
  let next = 0
  const started = performance.now()
  const follow = async () => {
    while (tokens < count * outputTokens) {
      const one = await stream(engine, next++)
      tokens += one.tokens
      firsts.push(one.firstMs)
    }
  }
  await Promise.all(Array.from({ length: count }, follow))
  const seconds = (performance.now() - started) / 1000
  const after = await engine.stats()
  const batches = after.batches.map((total, size) => total - (before.batches[size] ?? 0))
  const held = batches.reduce((sum, total, size) => sum + total * size, 0)
  return {
    tokensPerSecond: tokens / seconds,
    firstTokenMs: firsts.toSorted((a, b) => a - b)[Math.floor(firsts.length / 2)] ?? 0,
    meanBatch:
      held /
      Math.max(
        1,
        batches.reduce((sum, total) => sum + total, 0),
      ),
  }
}

function better(a: Measured | undefined, b: Measured): Measured {
  return a && a.tokensPerSecond > b.tokensPerSecond ? a : b
}

const engines = new Map<(typeof orders)[number], ChildEngine>()
for (const batching of orders) {
  const options = { modelPath: values.model, gpu: values.gpu as GpuChoice, threads: Number(values.threads) }
  engines.set(batching, await startEngine({ ...options, sequences: 16, batching }))
}

const rows = []
for (const count of streams) {
  const best = new Map<string, Measured>()
  for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
    for (const [batching, engine] of engines) {
      best.set(batching, better(best.get(batching), await measure(engine, count)))
    }
  }
  const [naive, sorted] = [best.get('naive'), best.get('sorted')]
  if (naive && sorted)
    rows.push({ count, naive, sorted, ratio: sorted.tokensPerSecond / naive.tokensPerSecond })
}
await Promise.all([...engines.values()].map((engine) => engine.close()))

if (values.json) {
  console.log(JSON.stringify({ model: values.model, promptTokens, outputTokens, rows }))
} else {
  console.log(
    'streams | library order tok/s | ours tok/s | ratio | ours first token ms (median) | ours mean batch',
  )
  for (const { count, naive, sorted, ratio } of rows) {
    const cells = [
      count,
      naive.tokensPerSecond.toFixed(0),
      sorted.tokensPerSecond.toFixed(0),
      ratio.toFixed(2),
    ]
    console.log([...cells, sorted.firstTokenMs.toFixed(0), sorted.meanBatch.toFixed(1)].join(' | '))
  }
}
