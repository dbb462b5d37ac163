/** @module For tests only: a task's context, and the collecting of what it says. */

import { utf8 } from '../../attest/bytes.ts'
import type { Engine } from '../engine/types.ts'
import { runTask, type TaskContext, type TaskEvent, type TaskResult } from './index.ts'

export function testContext(changes: Partial<TaskContext> = {}): TaskContext {
  return {
    requestId: 'req-1',
    created: 1_750_000_000,
    now: () => 1_750_000_002_500,
    model: 'chrysalis/scripted',
    maxPromptTokens: 10_000,
    maxOutputTokens: 10_000,
    n: 1,
    stream: false,
    affordable: () => 10_000,
    signal: new AbortController().signal,
    meter: { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 },
    ...changes,
  }
}

export interface Ran {
  readonly result: TaskResult
  /** The documents of a stream. */
  readonly documents: Record<string, unknown>[]
  /** The body of an answer that is not streamed. */
  readonly body: Record<string, unknown>
  /** The completion tokens on the meter at each event. */
  readonly metered: number[]
}

export async function run(
  path: string,
  body: Record<string, unknown>,
  engine: Engine,
  changes: Partial<TaskContext> = {},
  onEvent: (event: TaskEvent) => void = () => {},
): Promise<Ran> {
  const context = testContext({ stream: body.stream === true, ...changes })
  const request = { model: 'chrysalis/scripted', ...body }
  const task = runTask({ path, body: utf8(JSON.stringify(request)), context, engine })
  const documents: Record<string, unknown>[] = []
  const metered: number[] = []
  let whole: Record<string, unknown> = {}
  for (;;) {
    const { value, done } = await task.next()
    if (done) return { result: value, documents, body: whole, metered }
    metered.push(context.meter.completionTokens)
    if (value.type === 'event') documents.push(JSON.parse(value.json))
    else whole = JSON.parse(new TextDecoder().decode(value.bytes))
    onEvent(value)
  }
}
