import { invalidRequest } from '../protocol/errors.ts'
import type { TaskContext } from './types.ts'

/**
 * The sealed body must ask for what the context says in clear, by which it was priced and routed.
 * @throws ApiError 400 naming the field
 */
export function checkAgreement(
  {
    model,
    stream = false,
    n = 1,
  }: { readonly model: string; readonly stream?: boolean; readonly n?: number },
  context: TaskContext,
): void {
  if (model !== context.model) {
    throw invalidRequest(
      'model',
      "The body's 'model' is not the model of the sealed context.",
      'context_mismatch',
    )
  }
  if (stream !== context.stream) {
    throw invalidRequest(
      'stream',
      "The body's 'stream' is not what the sealed context says.",
      'context_mismatch',
    )
  }
  if (n !== context.n) {
    throw invalidRequest(
      'n',
      "The body's choices are not as many as the sealed context says.",
      'context_mismatch',
    )
  }
}
