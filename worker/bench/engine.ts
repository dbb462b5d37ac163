/**
 * Tokens a second of the engine at 1, 4 and 16 streams, with the library's own batch order and with ours; and what log
 * probabilities and a grammar cost each token. One run, interleaved:
 * `node worker/bench/engine.ts [--model PATH] [--threads N] [--gpu auto|cuda|off] [--json] [--before FILE]`, where FILE
 * is what an earlier `--json` printed: the ratio to it is shown.
 */

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  type ChildEngine,
  embeddedModel,
  type GenerateRequest,
  type GpuChoice,
  startEngine,
} from '../engine/index.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: embeddedModel.path },
    threads: { type: 'string', default: '1' },
    gpu: { type: 'string', default: 'off' },
    prompt: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '256' },
    repeats: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    before: { type: 'string' },
  },
})

const streams = [1, 4, 16] as const
const orders = ['naive', 'sorted'] as const
/** What costs more than plain generation, at 4 streams. */
const extras: Readonly<Record<string, Partial<GenerateRequest>>> = {
  plain: {},
  'log probabilities': { logprobs: 0 },
  'with 20 alternatives': { logprobs: 20 },
  'a grammar': { grammar: { gbnf: 'root ::= (("\\"" [^"\\\\]* "\\"" | [0-9]+) ","?)*' } },
}
const promptTokens = Number(values.prompt)
const outputTokens = Number(values.tokens)

interface Measured {
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  readonly meanBatch: number
}

/** One stream: tokens generated, and milliseconds to the first. Random text and temperature 1: no two alike. */
async function stream(
  engine: ChildEngine,
  index: number,
  extra: Partial<GenerateRequest>,
): Promise<{ tokens: number; firstMs: number }> {
  const started = performance.now()
  const words = Array.from({ length: promptTokens }, (_, word) =>
    String.fromCharCode(97 + ((index * 7 + word) % 26)),
  )
  const request = {
    prompt: { kind: 'chat', messages: [{ role: 'user', content: words.join(' ') }] } as const,
    maxPromptTokens: 4096,
    maxTokens: 64,
    sampling: { temperature: 2, topP: 1, presencePenalty: 0, frequencyPenalty: 0, seed: index },
    stop: [],
    ...extra,
  } satisfies GenerateRequest
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
async function measure(
  engine: ChildEngine,
  count: number,
  extra: Partial<GenerateRequest> = {},
): Promise<Measured> {
  const before = await engine.stats()
  const firsts: number[] = []
  let tokens = 0
  let next = 0
  const started = performance.now()
  const follow = async () => {
    while (tokens < count * outputTokens) {
      const one = await stream(engine, next++, extra)
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

const costs: { what: string; tokensPerSecond: number; microsecondsPerToken: number }[] = []
const ours = engines.get('sorted')
if (ours) {
  const best = new Map<string, Measured>()
  for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
    for (const [what, extra] of Object.entries(extras)) {
      best.set(what, better(best.get(what), await measure(ours, 4, extra)))
    }
  }
  const plain = best.get('plain')?.tokensPerSecond ?? 1
  for (const [what, { tokensPerSecond }] of best) {
    costs.push({ what, tokensPerSecond, microsecondsPerToken: 1e6 / tokensPerSecond - 1e6 / plain })
  }
}
await Promise.all([...engines.values()].map((engine) => engine.close()))

const result = { model: values.model, promptTokens, outputTokens, rows, costs }
const before: typeof result | undefined = values.before && JSON.parse(readFileSync(values.before, 'utf8'))

if (values.json) {
  console.log(JSON.stringify(result))
} else {
  console.log(
    'streams | library order tok/s | ours tok/s | ratio | ours first token ms (median) | ours mean batch | to before',
  )
  for (const { count, naive, sorted, ratio } of rows) {
    const old = before?.rows.find((row) => row.count === count)?.sorted.tokensPerSecond
    const cells = [
      count,
      naive.tokensPerSecond.toFixed(0),
      sorted.tokensPerSecond.toFixed(0),
      ratio.toFixed(2),
      sorted.firstTokenMs.toFixed(0),
      sorted.meanBatch.toFixed(1),
      old ? (sorted.tokensPerSecond / old).toFixed(2) : '-',
    ]
    console.log(cells.join(' | '))
  }
  console.log('\nat 4 streams | tok/s | more than plain, microseconds a token')
  for (const { what, tokensPerSecond, microsecondsPerToken } of costs) {
    console.log([what, tokensPerSecond.toFixed(0), microsecondsPerToken.toFixed(0)].join(' | '))
  }
}
