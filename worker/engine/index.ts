export { ChildEngine } from './client.ts'
export { embeddedModel } from './embedded.ts'
export { EngineError, type EngineErrorCode, PromptTooLong } from './errors.ts'
export { type EngineStats, type GpuChoice, windowEvents } from './messages.ts'
export { type EngineOptions, startEngine } from './process.ts'
export {
  type ChatMessage,
  type Embedding,
  type EmbeddingInput,
  type Engine,
  type EngineEvent,
  type ExitInfo,
  type GenerateRequest,
  type Grammar,
  type ModelInfo,
  maxGrammarLength,
  maxTopLogprobs,
  type Prompt,
  type ReasoningEffort,
  type Sampling,
  type TokenChance,
  type TokenLogprob,
  type ToolCall,
  type ToolDefinition,
  type ToolFormatName,
} from './types.ts'
