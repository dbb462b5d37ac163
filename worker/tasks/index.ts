/** @module What a worker does with a request once it is opened. */

import type { Engine } from '../engine/types.ts'
import { notFound } from '../protocol/errors.ts'
import { parseJsonObject } from '../protocol/fields.ts'
import { chat } from './chat/task.ts'
import { translation } from './translation.ts'
import type { Task, TaskContext, TaskEvent, TaskResult } from './types.ts'

export {
  type Meter,
  type TaskContext,
  type TaskEvent,
  type TaskResult,
  type Usage,
  usageOf,
} from './types.ts'

const tasks: ReadonlyMap<string, Task> = new Map([
  ['/v1/chat/completions', chat],
  ['/v1/translations', translation],
])

export interface TaskRequest {
  readonly path: string
  readonly body: Uint8Array
  readonly context: TaskContext
  readonly engine: Engine
}

/**
 * Runs one request. Everything that a client is to be told is an ApiError; a cancellation throws EngineError
 * `ERR_CANCELLED`. Leaving the loop early stops the engine.
 */
export async function* runTask({
  path,
  body,
  context,
  engine,
}: TaskRequest): AsyncGenerator<TaskEvent, TaskResult> {
  const task = tasks.get(path)
  if (!task) throw notFound('This worker does not serve that path.')
  return yield* task(parseJsonObject(body), context, engine)
}
