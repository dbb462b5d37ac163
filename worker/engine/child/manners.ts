/** @module What a chat template can do with tools, found out by asking it, once, before it meets a user's text. */

import type { ChatMessage, ToolCall, ToolDefinition } from '../types.ts'

export interface Manners {
  /** It runs at all. */
  readonly works: boolean
  /** No tools are an empty list, not absent. */
  readonly listsNoTools: boolean
  /** It shows tools. */
  readonly tools: boolean
  /** It fails on a parameter without a description. */
  readonly describesAll: boolean
  /** It shows calls; how it wants their arguments, and the content of a message that only calls. */
  readonly calls: boolean
  readonly arguments: 'object' | 'text'
  readonly empty: '' | null
  /** It shows several calls of one message. */
  readonly parallel: boolean
  /** It shows what was said before a call; where it does not, that is left out, as the model never saw it in training. */
  readonly prelude: boolean
  /** It shows results, of calls or of what stands in the place of calls. */
  readonly results: boolean
}

interface Asked {
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly ToolDefinition[]
}

const user: ChatMessage = { role: 'user', content: 'question' }
const text: ChatMessage = { role: 'assistant', content: 'words' }
const tool: ToolDefinition = {
  name: 'tool',
  description: 'description',
  parameters: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] },
}
const call = (id: string): ToolCall => ({ id, name: 'tool', arguments: '{"key":"value"}' })
const calling = (content: string, ...ids: string[]): ChatMessage => ({
  role: 'assistant',
  content,
  toolCalls: ids.map(call),
})
const result = (toolCallId: string): ChatMessage => ({ role: 'tool', toolCallId, content: 'result' })

/** @param renders whether the template shows all of a conversation */
export function probe(renders: (asked: Asked, manners: Manners) => boolean): Manners {
  let manners: Manners = {
    works: true,
    listsNoTools: false,
    tools: true,
    describesAll: false,
    calls: true,
    arguments: 'object',
    empty: '',
    parallel: true,
    prelude: true,
    results: true,
  }
  /** Takes the first of these with which the conversation is shown; false: none of them. */
  const settle = (asked: Asked, ...choices: Partial<Manners>[]): boolean => {
    const choice = choices.find((choice) => renders(asked, { ...manners, ...choice }))
    manners = { ...manners, ...choice }
    return choice !== undefined
  }
  const works = settle({ messages: [user], tools: [] }, {}, { listsNoTools: true })
  const tools = settle({ messages: [user], tools: [tool] }, {}, { describesAll: true })
  const offered = tools ? [tool] : []
  const shown = (...messages: ChatMessage[]): Asked => ({ messages: [user, ...messages], tools: offered })
  const calls = settle(
    shown(calling('', 'a'), result('a')),
    { arguments: 'object', empty: '' },
    { arguments: 'object', empty: null },
    { arguments: 'text', empty: '' },
    { arguments: 'text', empty: null },
  )
  const parallel = calls && settle(shown(calling('', 'a', 'b'), result('a'), result('b')), {})
  const prelude = calls && settle(shown(calling('before', 'a'), result('a'), text), {})
  const results = calls || settle(shown(text, result('a')), {})
  return { ...manners, works, tools, calls, parallel, prelude, results }
}
