/** @module What a worker does with a request once it is opened. */

import type { Engine } from '../engine/types.ts'
import { notFound } from '../protocol/errors.ts'
import { parseJsonObject } from '../protocol/fields.ts'
import { isSealedPath, type SealedPath } from '../protocol/paths.ts'
import { chat } from './chat/task.ts'
import { completion } from './completion.ts'
import { embedding } from './embedding.ts'
import { inputTokens, responses } from './responses/task.ts'
import { translation } from './translation/task.ts'
import type { Task, TaskContext, TaskEvent, TaskResult } from './types.ts'

export { TranslationCache } from './translation/cache.ts'
export {
  type Meter,
  type TaskContext,
  type TaskEvent,
  type TaskResult,
  type Usage,
  usageOf,
} from './types.ts'

const tasks: Readonly<Record<SealedPath, Task>> = {
  '/v1/chat/completions': chat,
  '/v1/completions': completion,
  '/v1/embeddings': embedding,
  '/v1/responses': responses,
  '/v1/responses/input_tokens': inputTokens,
  '/v1/translations': translation,
}

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
  if (!isSealedPath(path)) throw notFound('This worker does not serve that path.')
  return yield* tasks[path](parseJsonObject(body), context, engine)
}
