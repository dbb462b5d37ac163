/** What form an answer must have. */

import { defaulted, object, optional, required } from './fields.ts'
import { toolName } from './messages.ts'
import { anyObject, boolean, choice, mapped, type Reader, tagged, text, titled } from './readers.ts'

export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema'
      name: string
      schema: Record<string, unknown>
      strict: boolean
      description?: string
    }

/** Members of a schema, as both APIs name them. */
export const schemaFields = {
  name: required(toolName, 'Name of the schema.'),
  schema: required(
    anyObject,
    'JSON Schema that the answer follows; a grammar made of it holds the model to it.',
  ),
  strict: defaulted(boolean, false, "Hold the schema to OpenAI's rules for strict schemas too."),
  description: optional(text(), 'What the answer is for.'),
}

export const textOnly = object({ type: required(choice('text'), 'Any text.') })
export const jsonObject = object({ type: required(choice('json_object'), 'One JSON object.') })

const jsonSchema: Reader<ResponseFormat> = mapped(
  object({
    type: required(choice('json_schema'), 'JSON of a schema.'),
    json_schema: required(object(schemaFields), 'The schema.'),
  }),
  ({ type, json_schema }) => ({ type, ...json_schema }),
)

/** A format as chat completions write it. */
export const chatResponseFormat: Reader<ResponseFormat> = titled(
  'ChatResponseFormat',
  tagged('type', {
    text: textOnly,
    json_object: jsonObject,
    json_schema: jsonSchema,
  }),
)
