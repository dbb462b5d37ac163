/** @module One piece of a text: asked for until it passes all checks, or nothing is left to try. */

import { PromptTooLong } from '../../engine/errors.ts'
import type { Engine } from '../../engine/types.ts'
import type { GlossaryTerm } from '../../protocol/translation.ts'
import { attempt, type Step } from './attempt.ts'
import type { Grant, TranslationBudget } from './budget.ts'
import type { PieceMemory } from './cache.ts'
import { FAULTS, type Fault, faultOf, unwrap } from './checks.ts'
import type { Codec } from './formats/index.ts'
import { type Glossary, missing } from './glossary.ts'
import { type Mask, natural } from './masks.ts'
import { type Ids, isSlot, joined, type Part, type Slot, words, wordsOf, write } from './rich.ts'
import { bytesOf, segmentsOf, sentencesOf, trim } from './segments.ts'
import type { Ask, Style } from './styles.ts'

/** What is the same for all pieces of one text. */
export interface Job {
  readonly engine: Engine
  readonly style: Style
  readonly codec: Codec
  readonly budget: TranslationBudget
  readonly glossary: Glossary
  readonly ids: Ids
  /** `und`: not known. */
  readonly source: string
  readonly target: string
  readonly wishes: Pick<Ask, 'formality' | 'style' | 'context'>
  readonly cacheKey: string
  /** 0 for the translation itself, from 1 on for others than that. */
  readonly variant: number
  /** Earlier translations of the same payer; absent: none are kept. */
  readonly memory?: PieceMemory
}

export interface Piece {
  readonly core: readonly Part[]
  readonly preceding?: string
  /** Pass text on as it comes, where nothing in it has to be checked. */
  readonly live: boolean
}

export interface Outcome {
  readonly parts: readonly Part[]
  readonly fault?: Fault
  /** Slots that are not as they should be. */
  readonly wrong: readonly Slot[]
  readonly terms: readonly { readonly term: GlossaryTerm; readonly applied: boolean }[]
  /** What was passed on already. */
  readonly shown: string
}

/** How often a piece is asked for as a whole. */
const ATTEMPTS = 3

/** What a piece tells on the way; the last step has its outcome. */
export interface PieceStep extends Partial<Step> {
  readonly outcome?: Outcome
}

/** @throws EngineError; ApiError when the request's bounds do not allow the first attempt */
export async function* translatePiece(
  job: Job,
  piece: Piece,
  signal: AbortSignal,
): AsyncGenerator<PieceStep, void> {
  const grant = job.variant === 0 ? job.budget.first(bytesOf(piece.core)) : undefined
  const known = remembered(job, piece)
  if (known) {
    grant?.release(0)
    yield { outcome: known }
    return
  }
  const outcome = yield* best(job, piece, grant, signal)
  if (outcome) remember(job, piece, outcome)
  yield { outcome: outcome ?? { parts: piece.core, fault: 'long', wrong: [], terms: [], shown: '' } }
}

/** What the piece's translation is called in the cache; undefined where none is kept. */
function nameOf({ glossary, codec }: Job, { core, preceding }: Piece): unknown[] | undefined {
  const text = natural(codec).hide(core)
  return text === undefined ? undefined : [text, preceding ?? '', glossary.in(core)]
}

function remembered(job: Job, piece: Piece): Outcome | undefined {
  const name = job.memory && nameOf(job, piece)
  const text = name && job.memory?.get(name)
  if (text === undefined) return undefined
  const { parts, wrong } = natural(job.codec).find(piece.core, text)
  if (wrong.length > 0) return undefined
  return {
    parts,
    wrong,
    terms: job.glossary.in(piece.core).map((term) => ({ term, applied: true })),
    shown: '',
  }
}

function remember(job: Job, piece: Piece, { parts, fault }: Outcome): void {
  const name = job.memory && nameOf(job, piece)
  const own = new Set(piece.core)
  // A term that was put in is part of the words for whoever asks again.
  const plain = parts.map((part) => (part.kind === 'kept' && !own.has(part) ? words(part.raw) : part))
  const text = fault === undefined ? natural(job.codec).hide(plain) : undefined
  if (name && text !== undefined) job.memory?.set(name, text)
}

/** @returns undefined when the budget allows no attempt, or no piece is short enough */
async function* best(
  job: Job,
  piece: Piece,
  first: Grant | undefined,
  signal: AbortSignal,
): AsyncGenerator<Step, Outcome | undefined> {
  let chosen: Outcome | undefined
  const tries = plan(job, piece.core)
  for (const [index, one] of tries.entries()) {
    const grant = (index === 0 ? first : undefined) ?? job.budget.further(bytesOf(piece.core))
    if (!grant) break
    const outcome = yield* tryOnce(job, piece, one, grant, index, signal)
    chosen = better(chosen, outcome)
    if (!outcome || outcome.fault === undefined || outcome.shown !== '') break
    // What nothing but other words in the place of the terms can cure.
    if (outcome.fault === 'glossary') tries.splice(index + 1, tries.length, ...fixed(job, piece.core))
  }
  if (chosen && (chosen.fault === undefined || chosen.shown !== '')) return chosen
  return better(chosen, yield* inParts(job, piece, signal))
}

interface Try {
  readonly mask: Mask
  readonly core: readonly Part[]
  readonly text: string
}

/** How the piece is shown in turn: naturally, then by each mask that fits; a plain one several times. */
function plan(job: Job, core: readonly Part[]): Try[] {
  const tries = shownBy(job, core)
  const [only] = tries
  return only && !core.some(isSlot) ? Array.from({ length: ATTEMPTS }, () => only) : tries
}

/** With each term as a slot. */
function fixed(job: Job, core: readonly Part[]): Try[] {
  return shownBy(job, job.glossary.fix(core, job.ids))
}

function shownBy({ codec, style }: Job, core: readonly Part[]): Try[] {
  const masks = [natural(codec), ...style.masks]
  const tries = masks.flatMap((mask) => {
    const text = mask.hide(core)
    return text === undefined ? [] : [{ mask, core, text }]
  })
  const last = tries.at(-1)
  return last && tries.length < ATTEMPTS ? [...tries, last] : tries.slice(0, ATTEMPTS)
}

/** @returns undefined when the prompt does not fit the model's context */
async function* tryOnce(
  job: Job,
  piece: Piece,
  { mask, core, text }: Try,
  grant: Grant,
  index: number,
  signal: AbortSignal,
): AsyncGenerator<Step, Outcome | undefined> {
  const { engine, style, source, target } = job
  const terms = job.glossary.in(piece.core)
  const slots = core.filter(isSlot)
  const input = wordsOf(core)
  const prompt = style.prompt({
    text,
    ...(source !== 'und' && { source }),
    target,
    ...job.wishes,
    ...(piece.preceding !== undefined && { preceding: piece.preceding }),
    glossary: style.takesTerms ? terms : [],
    ...(mask.example !== undefined && slots.length > 0 && { marks: mask.example }),
    again: index > 0,
  })
  try {
    const answer = yield* attempt(
      {
        prompt,
        sampling: samplingOf(job.variant, index, slots.length > 0),
        stop: style.stop,
        cacheKey: job.cacheKey,
        grant,
        source: input,
        live: piece.live && index === 0 && slots.length === 0 && terms.length === 0,
      },
      engine,
      signal,
    )
    const found = mask.find(core, answer.shown === '' ? unwrap(answer.text, input) : answer.text.trim())
    const said = wordsOf(found.parts)
    const shown = terms.length > 0 ? write(found.parts, (one) => one) : ''
    const lacking = missing(terms, shown)
    const { languages } = engine.info
    const faults = [
      faultOf({
        source: input,
        answer: said,
        from: source,
        to: target,
        ...(languages && { languages }),
        cut: answer.cut,
        slots: slots.length,
      }),
      found.wrong.length > 0 ? ('lost' as const) : undefined,
      lacking.length > 0 ? ('glossary' as const) : undefined,
    ]
    const fault = worst(faults)
    return {
      parts: found.parts,
      ...(fault !== undefined && { fault }),
      wrong: found.wrong,
      terms: terms.map((term) => ({ term, applied: !lacking.includes(term) })),
      shown: answer.shown,
    }
  } catch (cause) {
    if (cause instanceof PromptTooLong) return undefined
    throw cause
  }
}

/** The likeliest first; then other words. A piece with slots is first shown in another way. */
function samplingOf(
  variant: number,
  index: number,
  hasSlots: boolean,
): { temperature: number; seed?: number } {
  if (variant > 0) return { temperature: 0.8, seed: variant * 1000 + index }
  if (index === 0 || (index === 1 && hasSlots)) return { temperature: 0 }
  return { temperature: 0.3 * index, seed: index }
}

/**
 * Translates what the piece is made of one by one: its sentences; else what stands between its marks; else without
 * the slots at its ends. What is made of parts is only taken if it is better.
 */
async function* inParts(
  job: Job,
  piece: Piece,
  signal: AbortSignal,
): AsyncGenerator<Step, Outcome | undefined> {
  const pieces = narrower(piece.core, job.source)
  if (!pieces) return undefined
  const outcomes: Outcome[] = []
  for (const { before, core, after } of pieces) {
    if (core.length === 0) {
      outcomes.push({ parts: [...before, ...after], wrong: [], terms: [], shown: '' })
      continue
    }
    const outcome = yield* best(job, { core, live: false }, undefined, signal)
    if (!outcome) return undefined
    outcomes.push({ ...outcome, parts: [...before, ...outcome.parts, ...after] })
  }
  const fault = worst(outcomes.map((one) => one.fault))
  return {
    parts: joined(outcomes.flatMap(({ parts }) => parts)),
    ...(fault !== undefined && { fault }),
    wrong: outcomes.flatMap(({ wrong }) => wrong),
    terms: outcomes.flatMap(({ terms }) => terms),
    shown: '',
  }
}

function narrower(core: readonly Part[], source: string) {
  const sentences = sentencesOf(core, source)
  const marked = between(core, ({ kind }) => kind === 'open' || kind === 'close')
  const choices = [sentences, marked, ends(core)].map((pieces) => pieces.map((piece) => trim(joined(piece))))
  const found = choices.find((pieces) =>
    pieces.some((one) => one.core.length > 0 && one.core.length < core.length),
  )
  const several = sentences.length > 1 ? choices[0] : undefined
  if (several && several.filter((one) => one.core.length > 0).length > 1) return several
  return found ?? halves(core, source)
}

/** Cut at each part that is such a one; it stands alone. */
function between(core: readonly Part[], isCut: (part: Part) => boolean): Part[][] {
  const pieces: Part[][] = [[]]
  for (const part of core) {
    if (isCut(part)) pieces.push([part], [])
    else pieces.at(-1)?.push(part)
  }
  return pieces.filter((piece) => piece.length > 0)
}

/** What is kept at the beginning and at the end, apart. */
function ends(core: readonly Part[]): Part[][] {
  const first = core[0]?.kind === 'kept' ? 1 : 0
  const last = core.at(-1)?.kind === 'kept' && core.length > 1 ? core.length - 1 : core.length
  return [core.slice(0, first), core.slice(first, last), core.slice(last)].filter((piece) => piece.length > 0)
}

/** A long sentence without anything to cut at, between words. */
function halves(core: readonly Part[], source: string) {
  const bytes = Math.ceil(bytesOf(core) / 2)
  const pieces = bytes > 128 ? segmentsOf(core, source, { into: 'pieces', bytes }) : []
  return pieces.length > 1 ? pieces : undefined
}

const badness = (fault: Fault | undefined): number => (fault === undefined ? -1 : FAULTS.indexOf(fault))

function worst(faults: readonly (Fault | undefined)[]): Fault | undefined {
  return faults.toSorted((a, b) => badness(b) - badness(a))[0]
}

function better(one: Outcome | undefined, other: Outcome | undefined): Outcome | undefined {
  if (!one || !other) return one ?? other
  if (badness(one.fault) !== badness(other.fault))
    return badness(one.fault) < badness(other.fault) ? one : other
  return other.wrong.length < one.wrong.length ? other : one
}
