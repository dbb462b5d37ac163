/** @module How a conversation or a translation becomes one text for the model. */

import { randomBytes } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import { EngineError } from '../errors.ts'
import type { ChatMessage, Prompt } from '../types.ts'
import type { Piece, Vocabulary } from './vocabulary.ts'

export interface PromptFormat {
  readonly style: string
  readonly template?: string
  readonly beginText: string
  readonly endText: string
}

/** The prompts that have a form of the model's own; text and tokens are taken as they are. */
export type StyledPrompt = Prompt & { kind: 'chat' | 'translation' }

const trusted = (text: string): Piece => ({ text, trusted: true })
const untrusted = (text: string): Piece => ({ text, trusted: false })

/** Writes prompts in the model's own form; made once per model. */
export class PromptWriter {
  readonly #format: PromptFormat
  readonly #vocabulary: Vocabulary
  readonly #template: Template | undefined

  /** Throws EngineError `ERR_MODEL_INVALID` when the template does not parse. */
  constructor(format: PromptFormat, vocabulary: Vocabulary) {
    this.#format = format
    this.#vocabulary = vocabulary
    this.#template = format.template === undefined ? undefined : parse(format.template)
  }

  write(prompt: StyledPrompt): Piece[] {
    if (prompt.kind === 'chat') {
      if (prompt.tools?.length || prompt.messages.some(isAboutTools))
        throw new EngineError('ERR_UNSUPPORTED_PROMPT', 'this model has no tools')
      return this.#chat(prompt.messages)
    }
    if (this.#format.style === 'chrysalis-tiny-1') return this.#tinyTranslation(prompt)
    return this.#chat(askToTranslate(prompt))
  }

  /** Whether an answer to this prompt begins inside the model's reasoning. */
  opensReasoning(_pieces: readonly Piece[]): boolean {
    return false
  }

  #tinyTranslation({ text, source, target }: Prompt & { kind: 'translation' }): Piece[] {
    const markers = ['<|translate|>', `<|${source}|>`, `<|${target}|>`]
    const missing = markers.find((marker) => !this.#vocabulary.hasSpecial(marker))
    if (missing) throw new EngineError('ERR_UNSUPPORTED_PROMPT', `the model has no token ${missing}`)
    return [
      trusted(`${this.#format.beginText}${markers.join('')}`),
      untrusted(text),
      trusted('<|assistant|>'),
    ]
  }

  #chat(messages: readonly ChatMessage[]): Piece[] {
    if (this.#template) return this.#render(this.#template, messages)
    if (this.#format.style === 'chrysalis-tiny-1') return this.#tinyChat(messages)
    // A model without any template continues text; the conversation is that text.
    return messages.flatMap(({ content }, index) => [trusted(index === 0 ? '' : '\n'), untrusted(content)])
  }

  #tinyChat(messages: readonly ChatMessage[]): Piece[] {
    const turns = foldSystem(messages).flatMap(({ role, content }) =>
      role === 'assistant'
        ? [trusted('<|assistant|>'), untrusted(content), trusted(this.#format.endText)]
        : [trusted('<|user|>'), untrusted(content)],
    )
    return [trusted(this.#format.beginText), ...turns, trusted('<|assistant|>')]
  }

  /** As the template says; where it knows no system role or wants strict turns, the messages are folded. */
  #render(template: Template, messages: readonly ChatMessage[]): Piece[] {
    const pieces =
      renderWithMarkers(template, messages, this.#format) ??
      renderWithMarkers(template, foldSystem(messages), this.#format) ??
      renderWithMarkers(template, mergeTurns(foldSystem(messages)), this.#format)
    if (pieces) return pieces
    const problem = "the model's chat template refuses this order of roles; begin with user, then alternate"
    throw new EngineError('ERR_UNSUPPORTED_PROMPT', problem)
  }
}

function isAboutTools(message: ChatMessage): boolean {
  return message.role === 'tool' || (message.role === 'assistant' && message.toolCalls !== undefined)
}

function parse(template: string): Template {
  try {
    return new Template(template)
  } catch (cause) {
    throw new EngineError('ERR_MODEL_INVALID', "the model's chat template does not parse", { cause })
  }
}

/**
 * Renders with a random marker in the place of each content, then puts the contents in as untrusted pieces: the
 * template never sees user text, and user text never becomes template. Undefined when the template refuses, or
 * loses a message.
 */
function renderWithMarkers(
  template: Template,
  messages: readonly ChatMessage[],
  format: PromptFormat,
): Piece[] | undefined {
  const nonce = randomBytes(12).toString('hex')
  const marker = (index: number) => `m${nonce}i${index}m`
  let rendered: string
  try {
    rendered = template.render({
      messages: messages.map(({ role }, index) => ({ role, content: marker(index) })),
      add_generation_prompt: true,
      bos_token: format.beginText,
      eos_token: format.endText,
    })
  } catch {
    return undefined
  }
  const parts = rendered.split(new RegExp(`m${nonce}i([0-9]+)m`))
  const seen = new Set(parts.filter((_, index) => index % 2 === 1))
  if (seen.size !== messages.length) return undefined
  return parts.map((part, index) =>
    index % 2 === 0 ? trusted(part) : untrusted(messages[Number(part)]?.content ?? ''),
  )
}

/** System messages go in front of the first user message. */
function foldSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content)
  const turns = messages.filter(({ role }) => role !== 'system')
  if (system.length === 0) return turns
  const first = turns.findIndex(({ role }) => role === 'user')
  if (first < 0) return [{ role: 'user', content: system.join('\n\n') }, ...turns]
  return turns.map((turn, index) =>
    index === first ? { role: 'user', content: [...system, turn.content].join('\n\n') } : turn,
  )
}

function mergeTurns(messages: readonly ChatMessage[]): ChatMessage[] {
  const merged: ChatMessage[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (last?.role !== message.role) merged.push(message)
    else merged[merged.length - 1] = { ...last, content: `${last.content}\n\n${message.content}` }
  }
  return merged
}

function askToTranslate({ text, source, target }: Prompt & { kind: 'translation' }): ChatMessage[] {
  const names = new Intl.DisplayNames(['en'], { type: 'language' })
  const system =
    `You are a translator. Translate the user's text from ${names.of(source)} to ${names.of(target)}. ` +
    'Answer with the translation only.'
  return [
    { role: 'system', content: system },
    { role: 'user', content: text },
  ]
}
