/** @module How models write tool calls and reasoning, and how an answer's text is taken apart. */

export { callMark, TOOL_FORMATS, type ToolFormat } from '../../engine/dialect/formats.ts'
export { AnswerSplitter, type SplitterOptions } from './splitter.ts'
export type { AnswerPart } from './types.ts'
