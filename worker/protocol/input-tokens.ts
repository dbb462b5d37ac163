/** POST /v1/responses/input_tokens: how many tokens a response would read. Nothing is generated. */

import type { ChatRequest } from './chat.ts'
import { parseFields, refused } from './fields.ts'
import { promptFields, promptOf } from './responses.ts'

/** A request to count the tokens of a prompt. */
export interface InputTokensRequest {
  /** The chat whose prompt is counted. */
  chat: ChatRequest
}

/** Every field of OpenAI's counting of input tokens. */
export const inputTokensFields = {
  ...promptFields,
  personality: refused('Models here have none to choose: say it in a message.'),
}

/**
 * Reads a request to count tokens.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseInputTokensRequest(json: unknown): InputTokensRequest {
  return { chat: promptOf(parseFields(inputTokensFields, json)) }
}
