/** @module The worker's side of the engine: generations as streams of events, with back-pressure. */

import type { ChildProcess } from 'node:child_process'
import { EngineError, type EngineErrorCode, PromptTooLong } from './errors.ts'
import type {
  Answers,
  EngineStats,
  FromChild,
  Question,
  ToChild,
  WireError,
  WireEvent,
  WireRequest,
} from './messages.ts'
import { windowEvents } from './messages.ts'
import type {
  Embedding,
  EmbeddingInput,
  Engine,
  EngineEvent,
  ExitInfo,
  GenerateRequest,
  ModelInfo,
  Prompt,
} from './types.ts'

/** How long a child may take to leave once its channel is closed. */
const closePatienceMs = 5000
/** Consumed events are told to the child in bundles, well before the window is full. */
const ackEvery = windowEvents / 4

/** How long a child may take to end a generation that was cancelled: some pieces of a prompt on a slow machine. */
export const cancelPatienceMs = 120_000

/** What happens when a child does not do what it is told. */
export interface Watchdog {
  /** Calls `fn` once after `ms`; the result cancels it. */
  readonly after: (ms: number, fn: () => void) => () => void
  /** Told before a child that ignores a cancellation is killed. */
  readonly onHung?: () => void
}

export interface ChildFacts {
  readonly accelerator: string
  readonly sequences: number
  /** `private-memory`: the bytes that were hashed are the bytes that run. See the README. */
  readonly weights: 'private-memory' | 'file'
}

/** Events of one generation between their arrival and their consumption; at most a window of them. */
class Inbox {
  #events: EngineEvent[] = []
  #error: Error | undefined
  #wake: (() => void) | undefined

  push(event: EngineEvent): void {
    this.#events.push(event)
    this.#wake?.()
  }

  /** Ends the generation at once: what has not been consumed is dropped. */
  fail(error: Error): void {
    this.#error ??= error
    this.#wake?.()
  }

  async next(): Promise<EngineEvent> {
    for (;;) {
      if (this.#error) throw this.#error
      const event = this.#events.shift()
      if (event) return event
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** An {@link Engine} in a child process; made by `startEngine`. */
export class ChildEngine implements Engine {
  readonly info: ModelInfo
  readonly sequences: number
  readonly accelerator: string
  readonly weights: ChildFacts['weights']
  readonly closed: Promise<ExitInfo>
  readonly #child: ChildProcess
  readonly #watchdog: Watchdog
  /** Of generations whose cancellation the child has not confirmed. */
  readonly #cancelTimers = new Map<number, () => void>()
  readonly #inboxes = new Map<number, Inbox>()
  readonly #questions = new Map<number, PromiseWithResolvers<Answers[keyof Answers]>>()
  #nextId = 1
  #closing = false
  #gone: EngineError | undefined

  constructor(child: ChildProcess, info: ModelInfo, facts: ChildFacts, watchdog: Watchdog) {
    this.#child = child
    this.#watchdog = watchdog
    this.info = info
    this.sequences = facts.sequences
    this.accelerator = facts.accelerator
    this.weights = facts.weights
    const closed = Promise.withResolvers<ExitInfo>()
    this.closed = closed.promise
    const settle = (exitCode: number | null, signal: string | null) => {
      this.#lose()
      closed.resolve({ expected: this.#closing, exitCode, signal })
    }
    child.on('message', (message: FromChild) => this.#receive(message))
    child.once('exit', settle)
    // A send to a child that has just died ends here; its exit says the rest.
    child.on('error', () => {})
    if (child.exitCode !== null || child.signalCode !== null) settle(child.exitCode, child.signalCode)
  }

  /** The child's process id. */
  get pid(): number {
    return this.#child.pid ?? -1
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    if (this.#gone) throw this.#gone
    const id = this.#nextId++
    const inbox = new Inbox()
    const onAbort = () => inbox.fail(cancelled())
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#inboxes.set(id, inbox)
    let ended = false
    try {
      const { limit, ...wire } = request
      if (!signal.aborted) this.#send({ type: 'generate', id, request: wire satisfies WireRequest })
      let unacknowledged = 0
      while (!ended) {
        const event = await inbox.next()
        if (event.type === 'prompt') this.#go(id, request.maxTokens, limit, event)
        ended = event.type === 'end'
        yield event
        if (++unacknowledged < ackEvery) continue
        this.#send({ type: 'ack', id, events: unacknowledged })
        unacknowledged = 0
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#inboxes.delete(id)
      if (!ended) this.#cancel(id)
    }
  }

  async count(prompt: Prompt, signal: AbortSignal): Promise<number> {
    return await this.#ask({ kind: 'count', prompt }, signal)
  }

  async countInput(input: EmbeddingInput, signal: AbortSignal): Promise<number> {
    return await this.#ask({ kind: 'countInput', input }, signal)
  }

  async embed(input: EmbeddingInput, maxTokens: number, signal: AbortSignal): Promise<Embedding> {
    return await this.#ask({ kind: 'embed', input, maxTokens }, signal)
  }

  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#lose()
      if (this.#child.connected) this.#child.disconnect()
    }
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), closePatienceMs)
    await this.closed
    clearTimeout(kill)
  }

  /** Counters of the child, for tests, benches and metrics. */
  async stats(): Promise<EngineStats> {
    return await this.#ask({ kind: 'stats' })
  }

  async #ask<K extends Question['kind']>(
    question: Question & { kind: K },
    signal?: AbortSignal,
  ): Promise<Answers[K]> {
    if (this.#gone) throw this.#gone
    if (signal?.aborted) throw cancelled()
    const id = this.#nextId++
    const answer = Promise.withResolvers<Answers[keyof Answers]>()
    const onAbort = () => {
      answer.reject(cancelled())
      this.#cancel(id)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#questions.set(id, answer)
    this.#send({ type: 'ask', id, question })
    try {
      return (await answer.promise) as Answers[K] // the child answers each question with its own kind of value
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#questions.delete(id)
    }
  }

  #go(
    id: number,
    wanted: number,
    limit: GenerateRequest['limit'],
    { promptTokens, cachedTokens }: EngineEvent & { type: 'prompt' },
  ): void {
    const maxTokens = Math.min(wanted, limit?.(promptTokens, cachedTokens) ?? wanted)
    if (!(maxTokens >= Math.min(1, wanted)))
      throw new EngineError('ERR_NO_OUTPUT_ROOM', 'no output token is allowed')
    this.#send({ type: 'go', id, maxTokens })
  }

  /** A child that does not confirm in time hangs: it is killed, and whoever owns the engine starts another. */
  #cancel(id: number): void {
    if (this.#gone) return
    this.#send({ type: 'cancel', id })
    const kill = () => {
      this.#watchdog.onHung?.()
      this.#child.kill('SIGKILL')
    }
    this.#cancelTimers.set(id, this.#watchdog.after(cancelPatienceMs, kill))
  }

  #onCancelled(id: number): void {
    this.#cancelTimers.get(id)?.()
    this.#cancelTimers.delete(id)
  }

  #send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message)
  }

  #receive(message: FromChild): void {
    if (message.type === 'events') for (const event of message.events) this.#deliver(event)
    if (message.type === 'cancelled') this.#onCancelled(message.id)
    if (message.type === 'answer') this.#questions.get(message.id)?.resolve(message.value)
    if (message.type === 'unanswered') this.#questions.get(message.id)?.reject(revive(message.error))
  }

  #deliver(wire: WireEvent): void {
    const inbox = this.#inboxes.get(wire.id)
    if ('event' in wire) inbox?.push(wire.event)
    else inbox?.fail(revive(wire.error))
  }

  #lose(): void {
    this.#gone ??= this.#closing
      ? new EngineError('ERR_ENGINE_CLOSED', 'the engine was closed')
      : new EngineError('ERR_ENGINE_LOST', 'the engine process ended; start it again')
    for (const id of this.#cancelTimers.keys()) this.#onCancelled(id)
    for (const inbox of this.#inboxes.values()) inbox.fail(this.#gone)
    for (const question of this.#questions.values()) question.reject(this.#gone)
  }
}

function cancelled(): EngineError {
  return new EngineError('ERR_CANCELLED', 'the request was cancelled')
}

function revive({ code, message, promptTokens, limit }: WireError): EngineError {
  if (promptTokens !== undefined && limit !== undefined) return new PromptTooLong(promptTokens, limit)
  return new EngineError(code satisfies EngineErrorCode, message)
}
