/** @module How a conversation or a translation becomes one text for the model. */

import { TOOL_FORMATS, type ToolFormat } from '../dialect/formats.ts'
import { isTranslateGemma, reasoningOf, toolFormatOf } from '../dialect/recognise.ts'
import { EngineError } from '../errors.ts'
import type { ChatMessage, ModelInfo, Prompt } from '../types.ts'
import { ChatTemplate, type Conversation } from './chat-template.ts'
import { foldSystem, type InWords, mergeTurns, oneByOne, toolsInWords, withoutReasoning } from './turns.ts'
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

const everything: InWords = { tools: true, calls: true, results: true }

/** Writes prompts in the model's own form; made once per model. */
export class PromptWriter {
  readonly #format: PromptFormat
  readonly #vocabulary: Vocabulary
  readonly #template: ChatTemplate | undefined
  /** Undefined when the template has no tools, or such as we cannot read in an answer. */
  readonly #toolFormat: ToolFormat | undefined
  readonly #reasoning: ModelInfo['reasoning']
  readonly #translates: boolean

  /** @throws EngineError `ERR_MODEL_INVALID` when the template does not parse */
  constructor(format: PromptFormat, vocabulary: Vocabulary) {
    const { template, beginText, endText } = format
    const toolFormat = toolFormatOf(template)
    this.#format = format
    this.#vocabulary = vocabulary
    this.#template = template === undefined ? undefined : new ChatTemplate(template, beginText, endText)
    this.#toolFormat = toolFormat && TOOL_FORMATS[toolFormat]
    this.#reasoning = reasoningOf(template)
    this.#translates = isTranslateGemma(template)
  }

  /** @throws EngineError `ERR_UNSUPPORTED_PROMPT` when the model has no form for this prompt */
  write(prompt: StyledPrompt): Piece[] {
    if (prompt.kind === 'chat') return this.#chat(prompt)
    if (this.#format.style === 'chrysalis-tiny-1') return this.#tinyTranslation(prompt)
    return this.#translation(prompt)
  }

  /** Whether an answer to this prompt begins inside the model's reasoning. */
  opensReasoning(pieces: readonly Piece[]): boolean {
    const last = pieces.at(-1)
    return last?.trusted === true && this.#isOpen(last.text)
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

  #translation(prompt: Prompt & { kind: 'translation' }): Piece[] {
    if (!this.#translates) return this.#chat({ kind: 'chat', messages: askToTranslate(prompt) })
    const { text, source, target } = prompt
    // Its list knows some regions of a language, and the language.
    const pieces =
      this.#template?.renderTranslation(text, source, target) ??
      this.#template?.renderTranslation(text, languageOf(source), languageOf(target))
    if (pieces) return pieces
    const problem = `the model's template does not translate from ${source} to ${target}`
    throw new EngineError('ERR_UNSUPPORTED_PROMPT', problem)
  }

  #chat({ messages, tools = [], reasoningEffort: effort }: Prompt & { kind: 'chat' }): Piece[] {
    // A context of 512 tokens has no room to explain tools; a call can be forced by a grammar all the same.
    if (this.#format.style === 'chrysalis-tiny-1') return this.#tinyChat(messages)
    const turns = this.#reasoning ? withoutReasoning(messages, this.#reasoning.close) : messages
    const conversation = { messages: turns, tools, ...(effort && { effort }) }
    if (!this.#template) return plain(this.#inWords(conversation, everything).messages)
    const pieces = this.#render(this.#template, conversation)
    return effort === 'none' ? this.#withoutThinking(pieces, tools.length > 0) : pieces
  }

  #tinyChat(messages: readonly ChatMessage[]): Piece[] {
    const turns = foldSystem(toolsInWords(messages, [], TOOL_FORMATS.generic, everything)).flatMap(
      ({ role, content }) =>
        role === 'assistant'
          ? [trusted('<|assistant|>'), untrusted(content), trusted(this.#format.endText)]
          : [trusted('<|user|>'), untrusted(content)],
    )
    return [trusted(this.#format.beginText), ...turns, trusted('<|assistant|>')]
  }

  /** As the template says; what it has no place for is put in words, folded or merged, as little as it takes. */
  #render(template: ChatTemplate, conversation: Conversation): Piece[] {
    const pieces =
      fold(template, this.#adapt(template, conversation)) ??
      (isPlain(conversation) ? undefined : fold(template, this.#inWords(conversation, everything)))
    if (pieces) return pieces
    const problem = template.manners.works
      ? "the model's chat template refuses this order of roles; begin with user, then alternate"
      : "the model's chat template cannot be run here; this model continues text only"
    throw new EngineError('ERR_UNSUPPORTED_PROMPT', problem)
  }

  /** A template whose calls we could not read in an answer is not asked for any. */
  #adapt({ manners }: ChatTemplate, conversation: Conversation): Conversation {
    if (isPlain(conversation)) return conversation
    if (!this.#toolFormat) return this.#inWords(conversation, everything)
    const messages = manners.parallel ? conversation.messages : oneByOne(conversation.messages)
    const inWords = { tools: !manners.tools, calls: !manners.calls, results: !manners.results }
    return this.#inWords({ ...conversation, messages }, inWords)
  }

  #inWords(conversation: Conversation, inWords: InWords): Conversation {
    const format = this.#toolFormat ?? TOOL_FORMATS.generic
    try {
      const messages = toolsInWords(conversation.messages, conversation.tools, format, inWords)
      return { ...conversation, messages, tools: inWords.tools ? [] : conversation.tools }
    } catch (cause) {
      throw new EngineError('ERR_UNSUPPORTED_PROMPT', "a tool's parameters are nested too deeply", { cause })
    }
  }

  /** Reasoning that the template did not switch off is ended before it begins. */
  #withoutThinking(pieces: Piece[], mayCall: boolean): Piece[] {
    const last = pieces.at(-1)
    if (!this.#reasoning || !last?.trusted) return pieces
    const { open, close } = this.#reasoning
    // gpt-oss chooses a channel for its answer; only without tools is it clear which.
    if (this.#toolFormat?.name === 'harmony')
      return mayCall ? pieces : [...pieces, trusted('<|channel|>final<|message|>')]
    if (this.#isOpen(last.text))
      return [...pieces.slice(0, -1), trusted(`${last.text.trimEnd()}\n\n${close}\n\n`)]
    return last.text.includes(close) ? pieces : [...pieces, trusted(`${open}\n\n${close}\n\n`)]
  }

  #isOpen(text: string): boolean {
    return (
      this.#reasoning !== undefined &&
      text.lastIndexOf(this.#reasoning.open) > text.lastIndexOf(this.#reasoning.close)
    )
  }
}

/** Some templates know no system role, some want strict turns. */
function fold(template: ChatTemplate, conversation: Conversation): Piece[] | undefined {
  const folded = { ...conversation, messages: foldSystem(conversation.messages) }
  const merged = { ...conversation, messages: mergeTurns(folded.messages) }
  return template.render(conversation) ?? template.render(folded) ?? template.render(merged)
}

/** A model without any template continues text; the conversation is that text. */
function plain(messages: readonly ChatMessage[]): Piece[] {
  return messages.flatMap(({ content }, index) => [trusted(index === 0 ? '' : '\n'), untrusted(content)])
}

function languageOf(tag: string): string {
  return tag.split('-')[0] ?? tag
}

function isPlain({ messages, tools }: Conversation): boolean {
  const isAboutTools = (message: ChatMessage) =>
    message.role === 'tool' || (message.role === 'assistant' && message.toolCalls !== undefined)
  return tools.length === 0 && !messages.some(isAboutTools)
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
