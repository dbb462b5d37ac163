/** The documents of OpenAI's API whose shapes tests check, as the official client types them. */

import type OpenAI from 'openai'

export type ChatDocument = OpenAI.ChatCompletion
export type ChatChunkDocument = OpenAI.ChatCompletionChunk
export type CompletionDocument = OpenAI.Completion
export type EmbeddingsDocument = OpenAI.CreateEmbeddingResponse
export type ResponseDocument = OpenAI.Responses.Response
export type ResponseEventDocument = OpenAI.Responses.ResponseStreamEvent
export type InputTokensDocument = OpenAI.Responses.InputTokenCountResponse
export interface ModelsDocument {
  object: 'list'
  data: OpenAI.Model[]
}
export type ModelDocument = OpenAI.Model
export interface FailureDocument {
  error: OpenAI.ErrorObject
}

export type ChatRequestDocument = OpenAI.ChatCompletionCreateParamsNonStreaming
export type CompletionRequestDocument = OpenAI.CompletionCreateParamsNonStreaming
export type EmbeddingRequestDocument = OpenAI.EmbeddingCreateParams
export type ResponseRequestDocument = OpenAI.Responses.ResponseCreateParamsNonStreaming
export type InputTokensRequestDocument = OpenAI.Responses.InputTokenCountParams
