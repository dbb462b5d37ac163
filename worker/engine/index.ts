export { ChildEngine } from './client.ts'
export { embeddedModel } from './embedded.ts'
export { EngineError, type EngineErrorCode, PromptTooLong } from './errors.ts'
export { type EngineStats, type GpuChoice, windowEvents } from './messages.ts'
export { type EngineOptions, startEngine } from './process.ts'
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
