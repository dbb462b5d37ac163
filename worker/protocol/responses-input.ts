/** The input of a response: items, which become the messages of a chat. */

import { invalidRequest } from './errors.ts'
import { accepted, defaultOnly, object, optional, refused, required } from './fields.ts'
import { type ChatMessage, type ChatToolCall, cacheBreakpoint, callId, toolName } from './messages.ts'
import { anything, arrayOf, choice, mapped, type Reader, tagged, text, textOr, titled } from './readers.ts'

type InputItem =
  | { readonly kind: 'message'; readonly message: ChatMessage }
  | { readonly kind: 'call'; readonly call: ChatToolCall }
  | { readonly kind: 'result'; readonly callId: string; readonly content: string }
  /** Not part of the prompt. */
  | { readonly kind: 'reasoning' }

const inputText = object({
  type: required(choice('input_text'), 'Text given to the model.'),
  text: required(text(), 'The text.'),
  prompt_cache_breakpoint: cacheBreakpoint,
})

const outputText = object({
  type: required(choice('output_text'), 'Text of an earlier answer.'),
  text: required(text(), 'The text.'),
  annotations: accepted(arrayOf(anything, 0, 1024), 'Notes about the text.'),
  logprobs: accepted(arrayOf(anything, 0, 1 << 20), 'What an answer told about its tokens.'),
  parsed: accepted(anything, 'Written by the official client; `text` says it.'),
})

const refusal = object({
  type: required(choice('refusal'), 'A refusal of an earlier answer.'),
  refusal: required(text(), 'Its text.'),
})

function joined(parts: readonly ({ readonly text: string } | { readonly refusal: string })[]): string {
  return parts.map((part) => ('text' in part ? part.text : part.refusal)).join('\n')
}

const content: Reader<string> = mapped(
  textOr(
    text(),
    arrayOf(tagged('type', { input_text: inputText, output_text: outputText, refusal }), 1, 4096),
    'one of a string or array of content parts',
  ),
  (value) => (typeof value === 'string' ? value : joined(value)),
)

const result: Reader<string> = mapped(
  textOr(
    text(),
    arrayOf(tagged('type', { input_text: inputText }), 1, 4096),
    'one of a string or array of content parts',
  ),
  (value) => (typeof value === 'string' ? value : joined(value)),
)

/** Members of every item that an answer wrote and that say nothing to the model. */
const written = {
  id: accepted(text({ max: 256 }), 'The id that an answer gave it.'),
  status: accepted(choice('in_progress', 'completed', 'incomplete'), 'How far an answer came with it.'),
}

/** Members of calls and results that only OpenAI's hosted programs use. */
const hosted = {
  caller: defaultOnly([{ type: 'direct' }], 'Only the model calls.'),
  namespace: refused('Tools have plain names.'),
}

const message: Reader<InputItem> = mapped(
  object({
    type: optional(choice('message'), 'A message; an item without a type is one too.'),
    role: required(choice('developer', 'system', 'user', 'assistant'), 'Who speaks.'),
    content: required(content, 'A string, or text parts; images, audio and files are refused.'),
    phase: accepted(choice('commentary', 'final_answer'), 'Told apart by no model here.'),
    ...written,
  }),
  ({ role, content: words }) => ({ kind: 'message', message: { role, content: words } }),
)

const functionCall: Reader<InputItem> = mapped(
  object({
    type: required(choice('function_call'), 'A call that an answer made.'),
    call_id: required(callId, 'The id under which its result comes.'),
    name: required(toolName, 'The function.'),
    arguments: required(text(), 'The arguments as the model wrote them.'),
    parsed_arguments: accepted(anything, 'Written by the official client; `arguments` says it.'),
    async: defaultOnly([false], 'Results come in the order of calls.'),
    ...written,
    ...hosted,
  }),
  ({ call_id, name, arguments: words }) => ({ kind: 'call', call: { id: call_id, name, arguments: words } }),
)

const customCall: Reader<InputItem> = mapped(
  object({
    type: required(choice('custom_tool_call'), 'A call of a custom tool.'),
    call_id: required(callId, 'The id under which its result comes.'),
    name: required(toolName, 'The tool.'),
    input: required(text(), 'The input as the model wrote it.'),
    async: defaultOnly([false], 'Results come in the order of calls.'),
    ...written,
    ...hosted,
  }),
  ({ call_id, name, input }) => ({
    kind: 'call',
    call: { id: call_id, name, arguments: input, custom: true },
  }),
)

function resultOf<T extends string>(type: T): Reader<InputItem> {
  const fields = {
    type: required(choice(type), 'The result of a call.'),
    call_id: required(callId, 'The call; its item comes before.'),
    output: required(result, 'A string, or text parts.'),
    name: accepted(toolName, 'The call names its tool.'),
    ...written,
    ...hosted,
  }
  return mapped(object(fields), ({ call_id, output }) => ({
    kind: 'result',
    callId: call_id,
    content: output,
  }))
}

const reasoning: Reader<InputItem> = mapped(
  object({
    type: required(choice('reasoning'), 'Earlier reasoning: left out of the prompt, as models expect it.'),
    summary: accepted(arrayOf(anything, 0, 1024), 'As written by an answer.'),
    content: accepted(arrayOf(anything, 0, 1024), 'As written by an answer.'),
    encrypted_content: accepted(text(), 'Reasoning is in the clear here, inside the sealed answer.'),
    ...written,
  }),
  () => ({ kind: 'reasoning' }),
)

const item: Reader<InputItem> = titled(
  'ResponseInputItem',
  tagged(
    'type',
    {
      message,
      function_call: functionCall,
      function_call_output: resultOf('function_call_output'),
      custom_tool_call: customCall,
      custom_tool_call_output: resultOf('custom_tool_call_output'),
      reasoning,
    },
    'message',
  ),
)

/** A text that the user says, or items; as messages of a chat. */
export const responsesInput: Reader<ChatMessage[]> = mapped(
  textOr(text(), arrayOf(item, 1, 10_000), 'one of a string or array of input items'),
  (value, path) => (typeof value === 'string' ? [{ role: 'user', content: value }] : toMessages(value, path)),
)

/** An assistant's text and the calls right after it are one message, as in a chat. */
function toMessages(items: readonly InputItem[], path: string): ChatMessage[] {
  const messages: ChatMessage[] = []
  let open = new Set<string>()
  for (const [index, each] of items.entries()) {
    if (each.kind === 'reasoning') continue
    if (each.kind === 'message') {
      open = new Set()
      messages.push(each.message)
    } else if (each.kind === 'call') {
      addCall(messages, each.call)
      open.add(each.call.id)
    } else {
      if (!open.has(each.callId)) throw strayResult(`${path}[${index}]`)
      messages.push({ role: 'tool', content: each.content, toolCallId: each.callId })
    }
  }
  return messages
}

function addCall(messages: ChatMessage[], call: ChatToolCall): void {
  const last = messages.at(-1)
  if (last?.role === 'assistant') last.toolCalls = [...(last.toolCalls ?? []), call]
  else messages.push({ role: 'assistant', content: '', toolCalls: [call] })
}

function strayResult(path: string) {
  return invalidRequest(
    `${path}.call_id`,
    `No tool call found for this output: '${path}.call_id' names no call of the items before it.`,
    'invalid_value',
  )
}
