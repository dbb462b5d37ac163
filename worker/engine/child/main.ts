/** @module The engine's child process: loads one model, then generates on request until its channel closes. */

import { EngineError, PromptTooLong } from '../errors.ts'
import type {
  Answers,
  EngineStats,
  FromChild,
  Question,
  ToChild,
  WireError,
  WireEvent,
  WireRequest,
} from '../messages.ts'
import type { Embedding, EmbeddingInput } from '../types.ts'
import { encodeInput, encodePrompt } from './encode.ts'
import { Generation } from './generation.ts'
import { type LoadedModel, loadModel } from './model.ts'

let model: LoadedModel | undefined
const running = new Map<number, Generation>()
const totals = { cancelled: 0, tokensAfterCancel: 0 }
let outbox: WireEvent[] = []

function send(message: FromChild): void {
  if (process.connected) process.send?.(message)
}

/** Events of one round of the event loop (that is: of one batch) leave as one message. */
function post(event: WireEvent): void {
  if (outbox.push(event) > 1) return
  setImmediate(() => {
    const events = outbox
    outbox = []
    send({ type: 'events', events })
  })
}

function describe(cause: unknown): WireError {
  if (cause instanceof PromptTooLong) {
    const { code, message, promptTokens, limit } = cause
    return { code, message, promptTokens, limit }
  }
  if (cause instanceof EngineError) return { code: cause.code, message: cause.message }
  // What the library says may quote the prompt; only the fact leaves this process.
  return { code: 'ERR_GENERATION', message: 'llama.cpp failed on this request' }
}

async function generate(id: number, request: WireRequest): Promise<void> {
  const generation = new Generation(id, (event) => post({ id, event }))
  running.set(id, generation)
  try {
    if (!model) throw new EngineError('ERR_ENGINE_START', 'no model is loaded')
    await generation.run(model, request)
  } catch (cause) {
    post({ id, error: describe(cause) })
  } finally {
    running.delete(id)
    if (generation.cancelledAt !== undefined) {
      totals.cancelled++
      totals.tokensAfterCancel = Math.max(
        totals.tokensAfterCancel,
        generation.tokens - generation.cancelledAt,
      )
      send({ type: 'cancelled', id })
    }
  }
}

function stats(): EngineStats {
  return {
    batches: Array.from(model?.batching.sizes ?? [], (count) => count ?? 0),
    running: [...running.values()].map(({ id, tokens, stalled }) => ({ id, tokens, stalled })),
    waiting: model?.pool.waiting ?? 0,
    ...totals,
  }
}

/** Waiting embeddings, which a cancellation takes out of the queue. */
const asked = new Map<number, AbortController>()

async function embed(
  loaded: LoadedModel,
  { input, maxTokens }: Question & { kind: 'embed' },
  signal: AbortSignal,
): Promise<Embedding | undefined> {
  const tokens = encodeInput(loaded, input, maxTokens)
  return await loaded.embedder.embed(tokens, maxTokens, signal)
}

async function countInput(loaded: LoadedModel, input: EmbeddingInput): Promise<number> {
  const tokens = encodeInput(loaded, input, loaded.contextLength)
  return await loaded.embedder.count(tokens, loaded.contextLength)
}

async function answer(question: Question, signal: AbortSignal): Promise<Answers[keyof Answers] | undefined> {
  if (question.kind === 'stats') return stats()
  if (!model) throw new EngineError('ERR_ENGINE_START', 'no model is loaded')
  if (question.kind === 'embed') return await embed(model, question, signal)
  if (question.kind === 'countInput') return await countInput(model, question.input)
  return encodePrompt(model, question.prompt, model.contextLength).tokens.length
}

async function ask(id: number, question: Question): Promise<void> {
  const cancel = new AbortController()
  asked.set(id, cancel)
  try {
    const value = await answer(question, cancel.signal)
    if (value !== undefined) send({ type: 'answer', id, value })
  } catch (cause) {
    send({ type: 'unanswered', id, error: describe(cause) })
  } finally {
    asked.delete(id)
  }
}

async function load(options: (ToChild & { type: 'load' })['options']): Promise<void> {
  try {
    model = await loadModel(options)
    send({ type: 'ready', accelerator: model.accelerator, infill: model.infill !== undefined })
  } catch (cause) {
    send({ type: 'failed', error: describe(cause) })
  }
}

/** Answered once the generation has ended; at once when it has ended already. */
function cancel(id: number): void {
  const generation = running.get(id)
  asked.get(id)?.abort()
  if (generation) generation.cancel()
  else send({ type: 'cancelled', id })
}

function receive(message: ToChild): void {
  if (message.type === 'load') void load(message.options)
  else if (message.type === 'generate') void generate(message.id, message.request)
  else if (message.type === 'go') running.get(message.id)?.go(message.maxTokens)
  else if (message.type === 'ack') running.get(message.id)?.ack(message.events)
  else if (message.type === 'cancel') cancel(message.id)
  else void ask(message.id, message.question)
}

// A Ctrl-C in a terminal reaches every process; when to stop is the supervisor's decision, told by the channel.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit(0))
process.on('message', receive)
