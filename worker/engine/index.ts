export { EngineError, type EngineErrorCode, PromptTooLong } from './errors.ts'
export type {
  ChatMessage,
  Engine,
  EngineEvent,
  ExitInfo,
  GenerateRequest,
  ModelInfo,
  Prompt,
  Sampling,
} from './types.ts'
