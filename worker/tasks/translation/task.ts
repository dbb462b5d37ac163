/** @module POST /v1/translations. */

import { createHmac, randomBytes } from 'node:crypto'
import type { Engine, ModelInfo } from '../../engine/types.ts'
import { contextLengthExceeded, invalidRequest } from '../../protocol/errors.ts'
import { parseTranslationRequest, type TranslationRequest } from '../../protocol/translation.ts'
import { checkAgreement } from '../agreement.ts'
import { toTaskError } from '../errors.ts'
import { sideBySide } from '../merge.ts'
import { type Meter, type TaskContext, type TaskEvent, type TaskResult, usageOf } from '../types.ts'
import type { Counts } from './attempt.ts'
import { TranslationBudget } from './budget.ts'
import { PieceMemory } from './cache.ts'
import { TranslationDocuments } from './documents.ts'
import { Glossary } from './glossary.ts'
import { Assembly, type Plan, planItem } from './item.ts'
import { resolveLanguage } from './languages.ts'
import { write } from './rich.ts'
import { bytesOf } from './segments.ts'
import { type Style, styleOf } from './styles.ts'
import { type Job, type PieceStep, translatePiece } from './translate.ts'

/** No text of a language has more bytes than this for each of its tokens. */
const BYTES_PER_TOKEN = 32
/** The most bytes of one text: finding sentences takes a second for each million. */
const MOST_BYTES = 512 * 1024
/** UTF-16 units of what stands before a piece that are shown with it. */
const PRECEDING = 160

/** Translates one text or many, piece by piece side by side; yields events when streaming, else one body. */
export async function* translation(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseTranslationRequest(json)
  checkAgreement(request, context)
  const { info } = engine
  const style = styleOf(info)
  checkWishes(request, info, style)
  checkLengths(request, info.contextLength)
  const target = resolveLanguage(request.targetLanguage, info, 'target_language')
  const plans = request.input.map((_, index) => planItem(request, index, target, info, style))
  // Nothing else is asked for, so the error is the request's.
  if (plans.length === 1 && plans[0]?.error) throw plans[0].error
  const documents = new TranslationDocuments(context)
  const run = new Run({ request, target, style, context, engine, plans })
  try {
    for await (const { index, delta, done } of run.items()) {
      if (!request.stream) continue
      if (delta !== '') yield* documents.deltas(index, delta)
      if (done) yield documents.itemDone(run.item(index))
    }
  } catch (cause) {
    throw toTaskError(cause, 'input')
  }
  const usage = usageOf(context.meter)
  yield request.stream
    ? documents.done(usage)
    : documents.body(
        plans.map(({ index }) => run.item(index)),
        usage,
      )
  return { finishReason: run.isCut ? 'length' : 'stop', usage }
}

interface RunOptions {
  readonly request: TranslationRequest
  readonly target: string
  readonly style: Style
  readonly context: TaskContext
  readonly engine: Engine
  readonly plans: readonly Plan[]
}

/** A piece of a text, for one of its translations. */
interface Unit {
  readonly plan: Plan
  readonly at: number
  readonly variant: number
}

interface UnitStep extends PieceStep {
  readonly unit: Unit
}

/** What is told of one text. */
interface Told {
  readonly index: number
  readonly delta: string
  /** All of its translations are finished. */
  readonly done: boolean
}

class Run {
  readonly #options: RunOptions
  readonly #glossary: Glossary
  readonly #budget: TranslationBudget
  readonly #cacheKey: string
  /** Of each text: its translation, then the others that are asked for. */
  readonly #assemblies: readonly (readonly Assembly[])[]

  constructor(options: RunOptions) {
    this.#options = options
    const { request, context, plans } = options
    this.#glossary = new Glossary(request.glossary)
    this.#assemblies = plans.map((plan) =>
      Array.from({ length: 1 + request.alternatives }, () => new Assembly(plan)),
    )
    const pieces = plans.flatMap(({ segments }) => segments.filter(({ core }) => core.length > 0))
    this.#budget = new TranslationBudget(
      context,
      pieces.map(({ core }) => bytesOf(core)),
    )
    // Prompts of one payer begin alike; a payer that is not known shares within its request only.
    const secret = context.cacheKey ?? randomBytes(32)
    this.#cacheKey = createHmac('sha256', secret).update('chrysalis/translation').digest('hex')
  }

  /** Runs all pieces; counts are in the meter before what they are for is told. */
  async *items(): AsyncGenerator<Told> {
    const { context, engine, plans, request } = this.#options
    const variants = Array.from({ length: 1 + request.alternatives }, (_, variant) => variant)
    const units = plans.flatMap((plan) =>
      variants.flatMap((variant) =>
        plan.segments.flatMap(({ core }, at) => (core.length > 0 ? [{ plan, at, variant }] : [])),
      ),
    )
    for (const { index } of plans) {
      const done = this.#isDone(index)
      const delta =
        this.#assembly(index).next() ||
        (done && !this.#hasSegments(index) ? (request.input[index]?.text ?? '') : '')
      if (delta !== '' || done) yield { index, delta, done }
    }
    const steps = sideBySide(units, engine.sequences, context.signal, (unit, signal) =>
      this.#unit(unit, signal),
    )
    for await (const { unit, counts, delta, outcome } of steps) {
      if (counts) add(context.meter, counts)
      const { index } = unit.plan
      const assembly = this.#assembly(index, unit.variant)
      const text = outcome ? assembly.finish(unit.at, outcome) : assembly.push(unit.at, delta ?? '')
      const done = outcome !== undefined && this.#isDone(index)
      const shown = unit.variant === 0 ? text : ''
      if (shown !== '' || done) yield { index, delta: shown, done }
    }
  }

  item(index: number) {
    const [first, ...others] = this.#assemblies[index] ?? []
    if (!first) throw new RangeError('no such text')
    return first.item(this.#options.request, others)
  }

  /** A text is not there as a whole. */
  get isCut(): boolean {
    return this.#assemblies.some(([first]) =>
      first?.faults.some((fault) => fault === 'cut' || fault === 'long'),
    )
  }

  async *#unit(unit: Unit, signal: AbortSignal): AsyncGenerator<UnitStep> {
    const { request, target, style, engine } = this.#options
    const { plan, at, variant } = unit
    const core = plan.segments[at]?.core ?? []
    const { formality, context, style: wish } = request
    const job: Job = {
      engine,
      style,
      codec: plan.codec,
      budget: this.#budget,
      glossary: this.#glossary,
      ids: plan.parsed.ids,
      source: plan.source,
      target,
      wishes: {
        formality,
        ...(context !== undefined && { context }),
        ...(wish !== undefined && { style: wish }),
      },
      cacheKey: this.#cacheKey,
      variant,
      ...(variant === 0 && this.#memoryOf(plan)),
    }
    const before = precedingOf(plan, at)
    const live = request.stream && variant === 0 && request.format === 'text'
    const steps = translatePiece(job, { core, live, ...(before !== '' && { preceding: before }) }, signal)
    for await (const step of steps) yield { unit, ...step }
  }

  /** Without a payer's secret nothing is kept: what is kept is that payer's alone. */
  #memoryOf({ source }: Plan): { memory: PieceMemory } | undefined {
    const { context, request, target, engine } = this.#options
    const { cacheKey, translationCache } = context
    if (cacheKey === undefined || !translationCache) return undefined
    const { format, formality, style = '', context: about = '' } = request
    const wishes = [format, formality, style, about]
    return {
      memory: new PieceMemory(translationCache, [cacheKey, engine.info.sha256, source, target, ...wishes]),
    }
  }

  #assembly(index: number, variant = 0): Assembly {
    const assembly = this.#assemblies[index]?.[variant]
    if (!assembly) throw new RangeError('no such text')
    return assembly
  }

  #hasSegments(index: number): boolean {
    return (this.#options.plans[index]?.segments.length ?? 0) > 0
  }

  #isDone(index: number): boolean {
    return this.#assemblies[index]?.every((assembly) => assembly.isDone) ?? true
  }
}

/** The end of what stands before a piece, from a word's beginning on. */
function precedingOf({ segments }: Plan, at: number): string {
  const before = segments
    .slice(Math.max(0, at - 4), at)
    .flatMap(({ before, core, after }) => [...before, ...core, ...after])
  const text = write(before, (one) => one).trim()
  return text.length <= PRECEDING
    ? text
    : text.slice(text.indexOf(' ', text.length - PRECEDING) + 1).slice(-PRECEDING)
}

function add(meter: Meter, counts: Counts): void {
  meter.promptTokens += counts.promptTokens
  meter.cachedTokens += counts.cachedTokens
  meter.completionTokens += counts.completionTokens
  meter.reasoningTokens += counts.reasoningTokens
}

/** What the model cannot be asked for. @throws ApiError 400 */
function checkWishes({ formality, style: wish }: TranslationRequest, info: ModelInfo, style: Style): void {
  if (style.takesWishes) return
  const only = 'This model translates and follows no further wishes.'
  if (wish !== undefined) {
    throw invalidRequest(
      'style',
      `Unsupported parameter: 'style'. ${only} Leave it out.`,
      'unsupported_parameter',
    )
  }
  // The embedded model has learnt the polite forms only.
  const isPolite = info.promptStyle === 'chrysalis-tiny-1' && formality === 'more'
  if (isPolite || (formality !== 'more' && formality !== 'less')) return
  throw invalidRequest(
    'formality',
    `Unsupported value: 'formality'. ${only} Send 'default', or 'prefer_${formality}' for as far as it can.`,
    'unsupported_value',
  )
}

/** Before anything else looks at a text: what no tokenizer makes fit is refused by its length. @throws ApiError 400 */
function checkLengths({ input }: TranslationRequest, contextLength: number): void {
  for (const { text } of input) {
    const bytes = Buffer.byteLength(text)
    const least = Math.ceil(bytes / BYTES_PER_TOKEN)
    if (least > contextLength || bytes > MOST_BYTES) {
      throw contextLengthExceeded(Math.min(contextLength, MOST_BYTES / BYTES_PER_TOKEN), least, 'input')
    }
  }
}
