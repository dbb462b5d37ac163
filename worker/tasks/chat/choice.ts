/** @module A choice of an answer as a whole. */

import type { TokenLogprob } from '../../engine/types.ts'
import type { TaskResult } from '../types.ts'
import type { ChoicePart, FinishReason } from './answer.ts'

export interface Call {
  readonly id: string
  readonly name: string
  readonly custom: boolean
  /** Of a custom tool its input. */
  arguments: string
}

/** Gathers the parts of one choice. */
export class Choice {
  content = ''
  reasoning = ''
  readonly calls: Call[] = []
  readonly logprobs: TokenLogprob[] = []
  finishReason: FinishReason = 'stop'

  add(part: ChoicePart): void {
    switch (part.type) {
      case 'content':
        this.content += part.text
        if (part.logprobs) this.logprobs.push(...part.logprobs)
        return
      case 'reasoning':
        this.reasoning += part.text
        return
      case 'call':
        this.calls.push({ id: part.id, name: part.name, custom: part.custom, arguments: '' })
        return
      case 'arguments': {
        const call = this.calls.at(-1)
        if (call) call.arguments += part.text
        return
      }
      case 'end':
        this.finishReason = part.finishReason
    }
  }
}

/** How a request of several choices ended: cut if one was, else with calls if one made any. */
export function overallReason(choices: readonly Pick<Choice, 'finishReason'>[]): TaskResult['finishReason'] {
  const reasons = choices.map(({ finishReason }) => finishReason)
  if (reasons.includes('length')) return 'length'
  return reasons.includes('tool_calls') ? 'tool_calls' : 'stop'
}
