/** @module POST /v1/translations. */

import { utf8 } from '../../../attest/bytes.ts'
import { PromptTooLong } from '../../engine/errors.ts'
import type { Engine, GenerateRequest } from '../../engine/types.ts'
import { contextLengthExceeded, invalidRequest } from '../../protocol/errors.ts'
import { detectLanguage, hasLetters } from '../../protocol/language/index.ts'
import {
  parseTranslationRequest,
  type TranslationEventContent,
  type TranslationRequest,
  type TranslationResponse,
  type TranslationStreamEvent,
} from '../../protocol/translation.ts'
import { checkAgreement } from '../agreement.ts'
import { OutputBudget } from '../budget.ts'
import { toTaskError } from '../errors.ts'
import { sideBySide } from '../merge.ts'
import { padEvent } from '../padding.ts'
import { type TaskContext, type TaskEvent, type TaskResult, usageOf } from '../types.ts'
import { type Segment, sentences } from './sentences.ts'

/** No text of a language has more bytes than this for each of its tokens. */
const BYTES_PER_TOKEN = 32
/** UTF-16 units of text in one event: escaped, encoded and padded it still fits a frame of the seal (256 KiB). */
const EVENT_TEXT = 16 * 1024

interface Item {
  readonly index: number
  readonly text: string
  /** `und` for a text without a letter. */
  readonly source: string
}

/** What one item's generation tells: counts first, then the text that they are for. */
interface Step {
  readonly item: Item
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly delta: string
  readonly end?: TaskResult['finishReason']
}

/** Translates one text or many, side by side; yields documents with a `type` when streaming, else one body. */
export async function* translation(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseTranslationRequest(json)
  checkAgreement(request, context)
  checkFeatures(request)
  const input = request.input.map(({ text }) => text)
  checkLengths(input, engine.info.contextLength)
  const target = resolveLanguage(request.targetLanguage, engine.info.languages, 'target_language')
  const items = input.map((text, index) => ({
    index,
    text,
    source: sourceOf(request, text, engine, index),
  }))
  const { meter } = context
  const texts = items.map(() => '')
  const documents = new TranslationDocuments(context)
  let finishReason: TaskResult['finishReason'] = 'stop'
  try {
    for await (const step of translateAll(items, target, context, engine)) {
      const { index, source } = step.item
      meter.promptTokens += step.promptTokens
      meter.cachedTokens += step.cachedTokens
      meter.completionTokens += step.completionTokens
      texts[index] += step.delta
      if (step.end === 'length') finishReason = 'length'
      if (!request.stream) continue
      for (const delta of pieces(step.delta)) yield documents.delta(index, delta)
      if (step.end) yield documents.itemDone(index, texts[index] ?? '', source)
    }
  } catch (cause) {
    throw toTaskError(cause, 'input')
  }
  const usage = usageOf(meter)
  yield request.stream ? documents.done(usage) : documents.body(items, texts, usage)
  return { finishReason, usage }
}

/** What is not there yet. @throws ApiError 400 */
function checkFeatures({
  format,
  formality,
  glossary,
  context,
  style,
  alternatives,
}: TranslationRequest): void {
  const refuse = (param: string) => {
    throw invalidRequest(
      param,
      `Unsupported parameter: '${param}' is not served yet. Leave it out.`,
      'unsupported_parameter',
    )
  }
  if (format !== 'text') refuse('format')
  if (formality !== 'default') refuse('formality')
  if (glossary.length > 0) refuse('glossary')
  if (context !== undefined) refuse('context')
  if (style !== undefined) refuse('style')
  if (alternatives > 0) refuse('alternatives')
}

/** Before anything else looks at a text: what no tokenizer makes fit is refused by its length. @throws ApiError 400 */
function checkLengths(input: readonly string[], contextLength: number): void {
  for (const text of input) {
    const least = Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN)
    if (least > contextLength) throw contextLengthExceeded(contextLength, least, 'input')
  }
}

/** A text in parts that fit an event, never cut inside a character. */
function* pieces(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const inside = (text.codePointAt(at + EVENT_TEXT - 1) ?? 0) > 0xffff
    const end = at + EVENT_TEXT - (inside ? 1 : 0)
    yield text.slice(at, end)
    at = end
  }
}

const idle = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }

async function* translateAll(
  items: readonly Item[],
  target: string,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<Step> {
  const work: Work[] = []
  for (const item of items) {
    // Nothing to translate, or already in that language: it is its own translation, and free.
    const asIs = item.source === 'und' || item.source === target
    if (asIs) yield { item, ...idle, delta: item.text, end: 'stop' }
    else work.push({ item, segments: segmentsOf(item, engine) })
  }
  const prompts = work.flatMap(({ segments }) => segments.filter(({ plain }) => !plain)).length
  const budget = new OutputBudget(context, prompts)
  yield* sideBySide(work, engine.sequences, context.signal, (one, signal) =>
    translateItem(one, target, budget, engine, signal),
  )
}

interface Work {
  readonly item: Item
  readonly segments: readonly Segment[]
}

/** The embedded model knows single sentences; others take a text as a whole, with all its context. */
function segmentsOf({ text, source }: Item, engine: Engine): Segment[] {
  const single = engine.info.promptStyle === 'chrysalis-tiny-1'
  return single ? sentences(text, source) : [{ text, plain: false }]
}

async function* translateItem(
  { item, segments }: Work,
  target: string,
  budget: OutputBudget,
  engine: Engine,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  let end: TaskResult['finishReason'] = 'stop'
  for (const { text, plain } of segments) {
    if (plain) {
      yield { item, ...idle, delta: text }
      continue
    }
    for await (const { end: reason, ...step } of translateText(item, text, target, budget, engine, signal)) {
      if (reason === 'length') end = 'length'
      yield step
    }
  }
  yield { item, ...idle, delta: '', end }
}

async function* translateText(
  item: Item,
  text: string,
  target: string,
  budget: OutputBudget,
  engine: Engine,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  const request: GenerateRequest = {
    prompt: { kind: 'translation', text, source: item.source, target },
    maxPromptTokens: engine.info.contextLength,
    maxTokens: engine.info.contextLength,
    sampling: { temperature: 0, topP: 1, presencePenalty: 0, frequencyPenalty: 0 },
    stop: [],
    limit: (promptTokens, cachedTokens) => {
      const excess = budget.addPrompt(promptTokens, cachedTokens)
      if (excess > 0) throw new PromptTooLong(budget.promptTokens, budget.promptTokens - excess)
      return budget.take()
    },
  }
  let told = 0
  // The prompt counts from the first token on, when it has been read: until then there is nothing to pay for.
  let prompt = { promptTokens: 0, cachedTokens: 0 }
  for await (const event of engine.generate(request, signal)) {
    if (event.type === 'prompt') {
      prompt = { promptTokens: event.promptTokens, cachedTokens: event.cachedTokens }
      continue
    }
    if (event.type === 'text') {
      told += event.tokens
      yield { item, ...prompt, completionTokens: event.tokens, delta: event.text }
    } else if (event.type === 'end') {
      const completionTokens = event.completionTokens - told
      yield { item, ...prompt, completionTokens, delta: '', end: event.finishReason }
    }
    prompt = { promptTokens: 0, cachedTokens: 0 }
  }
}

/** The model's own name of a language: the tag itself, else its base (`de-AT` is served as `de`). */
function resolveLanguage(tag: string, known: readonly string[] | undefined, param: string): string {
  const { language } = new Intl.Locale(tag)
  if (!known) {
    const name = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' }).of(language)
    if (name !== undefined) return tag
    throw invalidRequest(param, `Invalid '${param}': no language has this tag.`, 'unsupported_language')
  }
  const found = known.find((each) => each === tag) ?? known.find((each) => each === language)
  if (found) return found
  throw invalidRequest(
    param,
    `Invalid '${param}': this model translates between ${known.join(', ')}.`,
    'unsupported_language',
  )
}

function sourceOf(request: TranslationRequest, text: string, engine: Engine, index: number): string {
  const { languages } = engine.info
  if (!hasLetters(text)) return 'und'
  if (request.sourceLanguage !== 'auto') {
    return resolveLanguage(request.sourceLanguage, languages, 'source_language')
  }
  const found = detectLanguage(text, languages)
  if (found) return found
  throw invalidRequest(
    'source_language',
    `The language of input ${index} is not clear; name it in 'source_language'.`,
    'language_not_detected',
  )
}

class TranslationDocuments {
  readonly #id: { id: string; created: number; model: string }

  constructor({ requestId, created, model }: TaskContext) {
    this.#id = { id: `trans-${requestId}`, created, model }
  }

  delta(index: number, delta: string): TaskEvent {
    return this.#event({ type: 'translation.delta', index, delta })
  }

  /** Repeats the text if one event can hold it; the deltas are the text in any case. */
  itemDone(index: number, text: string, source: string): TaskEvent {
    return this.#event({
      type: 'translation.item.done',
      index,
      ...(text.length <= EVENT_TEXT && { text }),
      detected_source_language: source,
      done: true,
    })
  }

  done(usage: TaskResult['usage']): TaskEvent {
    return this.#event({ type: 'translation.done', usage })
  }

  body(items: readonly Item[], texts: readonly string[], usage: TaskResult['usage']): TaskEvent {
    const data = items.map(({ index, source }) => ({
      index,
      text: texts[index] ?? '',
      detected_source_language: source,
    }))
    const document: TranslationResponse = { object: 'translation', ...this.#id, data, usage }
    return { type: 'body', bytes: utf8(JSON.stringify(document)) }
  }

  #event({ type, ...content }: TranslationEventContent): TaskEvent {
    const frame: Omit<TranslationStreamEvent, 'obfuscation'> = {
      type,
      object: 'translation.chunk',
      ...this.#id,
    }
    return { type: 'event', json: padEvent({ ...frame, ...content }) }
  }
}
