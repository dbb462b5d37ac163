/** @module POST /v1/completions: text that is continued as it is. */

import { PromptTooLong } from '../engine/errors.ts'
import type { Engine, EngineEvent, Prompt, TokenLogprob } from '../engine/types.ts'
import { type CompletionRequest, parseCompletionRequest, type TextInput } from '../protocol/completions.ts'
import { invalidRequest } from '../protocol/errors.ts'
import { checkAgreement } from './agreement.ts'
import { bodyOf, eventOf } from './documents.ts'
import { toTaskError } from './errors.ts'
import { cacheKeyOf, generateAll, type Job, type Reader, type Reading } from './generation.ts'
import { checkTokens, samplingOf, unknownToken } from './sampling.ts'
import { meanLogprob, type TextLogprobs, TextOffsets, textLogprobs } from './text-logprobs.ts'
import { type TaskContext, type TaskEvent, type TaskResult, usageOf } from './types.ts'

type FinishReason = 'stop' | 'length'

/** A piece of one answer's text; the last has the reason. */
interface TextPart {
  readonly text: string
  readonly logprobs: TextLogprobs | null
  /** Of generated tokens: what `best_of` chooses by. */
  readonly generated: readonly TokenLogprob[]
  readonly finishReason?: FinishReason
}

/** Runs a completion; yields OpenAI's documents, the last of a stream without `[DONE]`. */
export async function* completion(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseCompletionRequest(json)
  checkAgreement({ ...request, n: request.bestOf }, context)
  const job = jobOf(request, context, engine)
  await checkLengths(job, context, engine)
  const head = { id: `cmpl-${context.requestId}`, object: 'text_completion', ...datedModel(context) }
  const answers = Array.from({ length: request.prompts.length * request.bestOf }, () => new TextAnswer())
  const { stream, includeUsage, includeObfuscation } = request
  const parts = generateAll(job, context, engine, () => new TextReader(request.logprobs !== undefined))
  for await (const { index, part } of parts) {
    answers[index]?.add(part)
    if (!stream || isNothing(part)) continue
    const document = { ...head, choices: [choiceOf(index, part)], ...(includeUsage && { usage: null }) }
    yield eventOf(document, includeObfuscation)
  }
  const usage = usageOf(context.meter)
  const told = bestOf(answers, request)
  if (!stream) yield bodyOf({ ...head, choices: told.map((answer, index) => choiceOf(index, answer)), usage })
  else if (includeUsage) yield eventOf({ ...head, choices: [], usage }, includeObfuscation)
  const cut = told.some(({ finishReason }) => finishReason === 'length')
  return { finishReason: cut ? 'length' : 'stop', usage }
}

/** A part of a character is no text yet. */
function isNothing({ text, logprobs, finishReason }: TextPart): boolean {
  return text === '' && !logprobs?.tokens.length && finishReason === undefined
}

function datedModel({ created, model }: TaskContext): { created: number; model: string } {
  return { created, model }
}

/** @throws ApiError 400 for what this model does not do */
function jobOf(request: CompletionRequest, context: TaskContext, { info }: Engine): Job {
  const { prompts, suffix, logprobs, bestOf, n } = request
  if (suffix !== undefined && !info.infill) {
    throw invalidRequest(
      'suffix',
      "Unsupported parameter: 'suffix' is not supported with this model, which was not taught to fill in. Leave it out.",
      'unsupported_parameter',
    )
  }
  checkTokens(request, info)
  const cacheKey = cacheKeyOf(context, request.cachePartition)
  return {
    prompts: prompts.map((prompt, index) => toPrompt(prompt, suffix, info.vocabularySize, index)),
    choices: bestOf,
    param: 'prompt',
    maxTokens: request.maxTokens,
    sampling: samplingOf(request),
    stop: request.stop,
    ...(request.echo && { echo: true }),
    // The best is the likeliest, so it takes the chances of all.
    ...((logprobs !== undefined || bestOf > n) && { logprobs: logprobs ?? 0 }),
    ...(cacheKey !== undefined && { cacheKey }),
  }
}

/** One prompt of many that does not fit is refused before any of them is worked on. */
async function checkLengths({ prompts, param }: Job, context: TaskContext, engine: Engine): Promise<void> {
  if (prompts.length === 1) return
  const most = Math.min(context.maxPromptTokens, engine.info.contextLength - 1)
  let total = 0
  try {
    for (const prompt of prompts) {
      const tokens = await engine.count(prompt, context.signal)
      total += tokens
      if (tokens > most) throw new PromptTooLong(tokens, most)
      if (total > context.maxPromptTokens) throw new PromptTooLong(total, context.maxPromptTokens)
    }
  } catch (cause) {
    throw toTaskError(cause, param, engine.info.contextLength)
  }
}

function toPrompt(
  prompt: TextInput,
  suffix: string | undefined,
  vocabularySize: number,
  index: number,
): Prompt {
  if ('text' in prompt) return { kind: 'text', text: prompt.text, ...(suffix !== undefined && { suffix }) }
  if (suffix !== undefined) {
    throw invalidRequest('suffix', "'suffix' needs a 'prompt' of text, not of token ids.", 'invalid_value')
  }
  if (prompt.tokens.some((token) => token >= vocabularySize)) throw unknownToken(`prompt[${index}]`)
  return { kind: 'tokens', tokens: prompt.tokens }
}

/** Tokens of a prompt whose log probabilities are told in one event. */
const ECHO_PIECE = 1024

/** Reads one continuation. */
class TextReader implements Reader<TextPart> {
  readonly #offsets = new TextOffsets()
  readonly #shown: boolean

  constructor(shown: boolean) {
    this.#shown = shown
  }

  read(event: EngineEvent): Reading<TextPart> {
    if (event.type === 'echo') {
      return { parts: this.#echo(event) }
    }
    if (event.type === 'text') {
      const { text, logprobs: generated = [] } = event
      return { parts: [{ text, logprobs: this.#logprobs(generated), generated }] }
    }
    return { parts: event.type === 'end' ? this.#end(event.finishReason) : [] }
  }

  /** The text at once, its log probabilities in pieces: those of a long prompt are more than one event may hold. */
  #echo({ text, logprobs, first }: EngineEvent & { type: 'echo' }): TextPart[] {
    const parts: TextPart[] = []
    for (let at = 0; at === 0 || at < (logprobs?.length ?? 0); at += ECHO_PIECE) {
      const piece = this.#logprobs(logprobs?.slice(at, at + ECHO_PIECE), at === 0 ? first : undefined)
      parts.push({ text: at === 0 ? text : '', logprobs: piece, generated: [] })
    }
    return parts
  }

  cut(): TextPart[] {
    return this.#end('length')
  }

  #end(finishReason: FinishReason): TextPart[] {
    return [{ text: '', logprobs: null, generated: [], finishReason }]
  }

  #logprobs(entries: readonly (TokenLogprob | null)[] | undefined, first?: string): TextLogprobs | null {
    return this.#shown && entries ? textLogprobs(entries, this.#offsets, first) : null
  }
}

/** One answer as a whole. */
class TextAnswer implements TextPart {
  text = ''
  logprobs: TextLogprobs | null = null
  readonly generated: TokenLogprob[] = []
  finishReason: FinishReason = 'stop'

  add(part: TextPart): void {
    this.text += part.text
    this.generated.push(...part.generated)
    this.finishReason = part.finishReason ?? this.finishReason
    if (!part.logprobs) return
    this.logprobs ??= { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
    for (const key of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const) {
      const all: unknown[] = this.logprobs[key]
      all.push(...part.logprobs[key])
    }
  }
}

/** The `n` answers to each prompt whose tokens are the likeliest on average, the best first. */
function bestOf(answers: readonly TextAnswer[], { prompts, bestOf, n }: CompletionRequest): TextAnswer[] {
  if (bestOf === n) return [...answers]
  return prompts.flatMap((_, index) =>
    answers
      .slice(index * bestOf, (index + 1) * bestOf)
      .toSorted((a, b) => meanLogprob(b.generated) - meanLogprob(a.generated))
      .slice(0, n),
  )
}

function choiceOf(index: number, { text, logprobs, finishReason }: TextPart): object {
  return { text, index, logprobs, finish_reason: finishReason ?? null }
}
