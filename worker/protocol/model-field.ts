import { required } from './fields.ts'
import { modelId } from './ids.ts'

/** The field that every request has. */
export const modelField = required(
  modelId,
  'A name or alias of `GET /v1/models`; left out only where the gateway has a default model.',
)
