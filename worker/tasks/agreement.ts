import { invalidRequest } from '../protocol/errors.ts'
import type { TaskContext } from './types.ts'

/**
 * The sealed body must ask for what the context says in clear, by which it was priced and routed.
 * @throws ApiError 400 naming the field
 */
export function checkAgreement(
  request: { readonly model: string; readonly stream: boolean },
  context: TaskContext,
): void {
  if (request.model !== context.model) {
    throw invalidRequest(
      'model',
      "The body's 'model' is not the model of the sealed context.",
      'context_mismatch',
    )
  }
  if (request.stream !== context.stream) {
    throw invalidRequest(
      'stream',
      "The body's 'stream' is not what the sealed context says.",
      'context_mismatch',
    )
  }
}
