/** @module An answer's text, piece by piece, into reasoning, content and tool calls. */

import type { ModelInfo } from '../../engine/types.ts'
import type { ToolFormat } from './formats.ts'
import type { AnswerPart } from './types.ts'

export interface SplitterOptions {
  /** The model's marks; absent: it does not think aloud. */
  readonly reasoning?: ModelInfo['reasoning']
  /** The prompt ended inside the reasoning (the `prompt` event says so). */
  readonly insideReasoning?: boolean
  /** Give the model's own whenever it has one, also without tools: its silent marks are dropped. */
  readonly toolFormat?: ToolFormat
  /** A call of any other name stays content. */
  readonly tools: ReadonlySet<string>
}

/** Splits streamed text; never shows half a mark. */
export class AnswerSplitter {
  constructor(_options: SplitterOptions) {}

  /** @returns what is certain by now; the rest comes with later pieces. */
  push(text: string): AnswerPart[] {
    return text === '' ? [] : [{ type: 'content', text }]
  }

  /** The answer is over: what was held back. */
  end(): AnswerPart[] {
    return []
  }
}
