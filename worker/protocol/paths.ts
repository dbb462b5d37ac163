/** The paths that a sealed request may name, each with its reader and bounds: gateway and worker read this one table. */

import {
  boundsOfChat,
  boundsOfCompletion,
  boundsOfEmbedding,
  boundsOfInputTokens,
  boundsOfTranslation,
  type RequestBounds,
} from './bounds.ts'
import { parseChatRequest } from './chat.ts'
import { parseCompletionRequest } from './completions.ts'
import { parseEmbeddingRequest } from './embeddings.ts'
import { parseInputTokensRequest } from './input-tokens.ts'
import { parseResponsesRequest } from './responses.ts'
import { parseTranslationRequest } from './translation.ts'

/** What a gateway must know of a request; all the rest is the worker's business and stays in the sealed bytes. */
export interface Admitted {
  readonly model: string
  readonly stream: boolean
  /** @param contextLength tokens of prompt and answer together that the model takes */
  readonly bounds: (contextLength: number) => RequestBounds
}

/**
 * Reads a body as far as a gateway needs it.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export type Admit = (json: unknown) => Admitted

export const PATHS = {
  '/v1/chat/completions': admit(parseChatRequest, (request) => request, boundsOfChat),
  '/v1/completions': admit(parseCompletionRequest, (request) => request, boundsOfCompletion),
  '/v1/embeddings': admit(
    parseEmbeddingRequest,
    ({ model }) => ({ model, stream: false }),
    boundsOfEmbedding,
  ),
  '/v1/responses': admit(
    parseResponsesRequest,
    ({ chat }) => chat,
    ({ chat }, contextLength) => boundsOfChat(chat, contextLength),
  ),
  '/v1/responses/input_tokens': admit(parseInputTokensRequest, ({ chat }) => chat, boundsOfInputTokens),
  '/v1/translations': admit(parseTranslationRequest, (request) => request, boundsOfTranslation),
} as const satisfies Record<string, Admit>

/** A path that a sealed request may name; all are of the method POST. */
export type SealedPath = keyof typeof PATHS

/** Whether a path is one of {@link PATHS}. */
export function isSealedPath(path: string): path is SealedPath {
  return Object.hasOwn(PATHS, path)
}

function admit<T>(
  parse: (json: unknown) => T,
  head: (request: T) => { readonly model: string; readonly stream: boolean },
  boundsOf: (request: T, contextLength: number) => RequestBounds,
): Admit {
  return (json) => {
    const request = parse(json)
    const { model, stream } = head(request)
    return { model, stream, bounds: (contextLength) => boundsOf(request, contextLength) }
  }
}
