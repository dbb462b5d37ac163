/** POST /v1/embeddings: what a worker accepts. */

import { type TextInput, textInputs } from './completions.ts'
import { accepted, defaulted, optional, parseFields, required } from './fields.ts'
import { modelField } from './model-field.ts'
import { choice, integer, text } from './readers.ts'

/** The most texts of one request, OpenAI's bound. */
export const MAX_EMBEDDING_INPUTS = 2048

/** An embedding request, read and filled with OpenAI's defaults. */
export interface EmbeddingRequest {
  model: string
  /** 1 to 2048, none empty. */
  inputs: TextInput[]
  /** `base64`: little-endian 32-bit floats. */
  encodingFormat: 'float' | 'base64'
  /** Length of the vectors; absent: the model's own. */
  dimensions?: number
  user?: string
}

/** Every field of OpenAI's CreateEmbeddingRequest. */
export const embeddingFields = {
  model: modelField,
  input: required(
    textInputs(text({ min: 1 }), MAX_EMBEDDING_INPUTS),
    'A text, up to 2,048 texts, or their token ids; none may be empty.',
  ),
  encoding_format: defaulted(
    choice('float', 'base64'),
    'float' as const,
    '`base64` is little-endian 32-bit floats.',
  ),
  dimensions: optional(integer(1, 65_536), 'Cut the vectors to this length and normalise them again.'),
  user: accepted(text({ max: 512 }), 'Nothing is kept between requests for embeddings.'),
}

/**
 * Reads an embedding request.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseEmbeddingRequest(json: unknown): EmbeddingRequest {
  const { model, input, encoding_format, dimensions, user } = parseFields(embeddingFields, json)
  return {
    model,
    inputs: input,
    encodingFormat: encoding_format,
    ...(dimensions !== undefined && { dimensions }),
    ...(user !== undefined && { user }),
  }
}
