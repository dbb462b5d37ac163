/** The messages of a chat completion, of every role, and the parts of their contents. */

import { invalidRequest } from './errors.ts'
import { accepted, type Fields, object, optional, refused, required } from './fields.ts'
import { anything, arrayOf, choice, mapped, type Reader, tagged, text, textOr, titled } from './readers.ts'

export const CHAT_ROLES = ['developer', 'system', 'user', 'assistant', 'tool'] as const
export type ChatRole = (typeof CHAT_ROLES)[number]

/** A call that an earlier answer made, sent back. */
export interface ChatToolCall {
  id: string
  name: string
  /** As the model wrote it: JSON text for a function, any text for a custom tool. */
  arguments: string
  /** It called a custom tool. */
  custom?: boolean
}

/** A message whose text parts have been joined by newlines. */
export interface ChatMessage {
  role: ChatRole
  content: string
  /** Of an assistant: the calls it made, in order. */
  toolCalls?: ChatToolCall[]
  /** Of a tool: the call that this is the result of. Always one of the assistant's message before. */
  toolCallId?: string
}

/** Names of functions, tools and schemas. */
export const toolName = text({
  min: 1,
  max: 64,
  pattern: /^[a-zA-Z0-9_-]+$/,
  expected: 'a name of the letters a-z and A-Z, digits, underscores and dashes',
})

/** A participant's name: nothing that could be a role marker of a chat template. */
const participant = text({
  min: 1,
  max: 64,
  pattern: /^[^\s<|\\/>]+$/,
  expected: 'a name without spaces and without < > | \\ /',
})

/** Where a client would like a prompt cache to break. */
export const cacheBreakpoint = accepted(
  object({
    mode: required(choice('explicit'), 'Always `explicit`.'),
    ttl: accepted(choice('30m', '12h'), 'A cached prefix stays as long as the worker has room for it.'),
  }),
  'Every common prefix is found without being told where it ends.',
)

const textPart = object({
  type: required(choice('text'), 'The kind of part; only text is read.'),
  text: required(text(), 'The text.'),
  prompt_cache_breakpoint: cacheBreakpoint,
})

const refusalPart = object({
  type: required(choice('refusal'), 'A refusal that an answer held.'),
  refusal: required(text(), 'Its text.'),
})

const EXPECTED_CONTENT = 'one of a string or array of content parts'

/** A string or text parts, which are joined by newlines. */
export const textContent: Reader<string> = mapped(
  textOr(text(), arrayOf(tagged('type', { text: textPart }), 1, 4096), EXPECTED_CONTENT),
  (value) => (typeof value === 'string' ? value : value.map((part) => part.text).join('\n')),
)

const assistantContent: Reader<string> = mapped(
  textOr(
    text(),
    arrayOf(tagged('type', { text: textPart, refusal: refusalPart }), 1, 4096),
    EXPECTED_CONTENT,
  ),
  (value) =>
    typeof value === 'string'
      ? value
      : value.map((part) => (part.type === 'text' ? part.text : part.refusal)).join('\n'),
)

const spoken = {
  content: required(textContent, 'A string, or text parts; images, audio and files are refused.'),
  name: optional(participant, 'Who of several speaks: written before the text as `name: `.'),
}

/** Several participants of one role are told apart by their names, which chat templates have no place for. */
function speak(role: ChatRole, { content, name }: Fields<typeof spoken>): ChatMessage {
  return { role, content: name === undefined ? content : `${name}: ${content}` }
}

function speaker<R extends 'developer' | 'system' | 'user'>(role: R, about: string): Reader<ChatMessage> {
  const reader = object({ role: required(choice(role), about), ...spoken })
  return mapped(reader, (fields) => speak(role, fields))
}

export const callId = text({ min: 1, max: 256 })

const functionCall = object({
  id: required(callId, 'The id under which its result comes.'),
  type: required(choice('function'), 'A function was called.'),
  function: required(
    object({
      name: required(toolName, 'The function.'),
      arguments: required(text(), 'The arguments as the model wrote them.'),
      parsed_arguments: accepted(anything, 'Written by the official client; `arguments` says it.'),
    }),
    'What was called.',
  ),
})

const customCall = object({
  id: required(callId, 'The id under which its result comes.'),
  type: required(choice('custom'), 'A custom tool was called.'),
  custom: required(
    object({
      name: required(toolName, 'The tool.'),
      input: required(text(), 'The input as the model wrote it.'),
    }),
    'What was called.',
  ),
})

const toolCall: Reader<ChatToolCall> = mapped(
  tagged('type', { function: functionCall, custom: customCall }),
  (call) =>
    call.type === 'function'
      ? { id: call.id, name: call.function.name, arguments: call.function.arguments }
      : { id: call.id, name: call.custom.name, arguments: call.custom.input, custom: true },
)

// What an answer held may be sent back as it was, also after the official client has read it.
const assistantFields = {
  role: required(choice('assistant'), 'What the model said before.'),
  content: optional(assistantContent, 'A string, or parts of type `text` and `refusal`.'),
  refusal: optional(text(), 'Stands for the content when there is none.'),
  tool_calls: optional(
    arrayOf(toolCall, 0, 128),
    'The calls it made; each result follows as a `tool` message.',
  ),
  function_call: optional(
    object({
      name: required(toolName, 'The function.'),
      arguments: required(text(), 'The arguments as the model wrote them.'),
    }),
    'Deprecated form of a call; its result follows as a `function` message.',
  ),
  name: accepted(participant, 'The model is the only assistant.'),
  reasoning_content: accepted(text(), 'Earlier reasoning is left out of the prompt, as models expect it.'),
  reasoning: accepted(text(), 'As `reasoning_content`.'),
  annotations: accepted(arrayOf(anything, 0, 1024), 'Notes about the text that an answer of OpenAI held.'),
  parsed: accepted(anything, 'Written by the official client; `content` says it.'),
  audio: refused('Audio is not read.'),
}

const assistant: Reader<ChatMessage> = mapped(object(assistantFields), (fields) => {
  const calls = fields.tool_calls ?? []
  if (fields.function_call) calls.push({ id: LEGACY_CALL, ...fields.function_call })
  return {
    role: 'assistant' as const,
    content: fields.content ?? fields.refusal ?? '',
    ...(calls.length > 0 && { toolCalls: calls }),
  }
})

const tool: Reader<ChatMessage> = mapped(
  object({
    role: required(choice('tool'), 'The result of a call.'),
    content: required(textContent, 'A string, or text parts.'),
    tool_call_id: required(callId, 'The call, made by the assistant message before.'),
    name: accepted(toolName, 'The call names its tool.'),
  }),
  ({ content, tool_call_id }) => ({ role: 'tool' as const, content, toolCallId: tool_call_id }),
)

/** Id of a call in the deprecated form, which has none. */
const LEGACY_CALL = 'function_call'

const legacyResult: Reader<ChatMessage> = mapped(
  object({
    role: required(choice('function'), 'Deprecated: the result of a `function_call`.'),
    content: optional(textContent, 'The result.'),
    name: required(toolName, 'The function that was called.'),
  }),
  ({ content }) => ({ role: 'tool' as const, content: content ?? '', toolCallId: LEGACY_CALL }),
)

const message: Reader<ChatMessage> = tagged('role', {
  developer: speaker('developer', 'Instructions; the same as `system`.'),
  system: speaker('system', 'Instructions.'),
  user: speaker('user', 'What the user says.'),
  assistant,
  tool,
  function: legacyResult,
})

/** The messages of a request: at least one, and each result of a tool after the call that it answers. */
export const messages: Reader<ChatMessage[]> = mapped(
  arrayOf(titled('ChatMessage', message), 1, 10_000),
  (list, path) => {
    let open = new Set<string>()
    for (const [index, { role, toolCalls, toolCallId }] of list.entries()) {
      if (role !== 'tool') open = new Set(toolCalls?.map(({ id }) => id))
      else if (toolCallId === undefined || !open.has(toolCallId)) throw strayResult(`${path}[${index}]`)
    }
    return list
  },
)

function strayResult(path: string) {
  return invalidRequest(
    `${path}.tool_call_id`,
    `Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'. '${path}.tool_call_id' names no call of the assistant message before it.`,
    'invalid_value',
  )
}
