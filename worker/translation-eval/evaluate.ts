/** @module Translates a test set by the worker's own task and scores what comes back. */

import { utf8 } from '../../attest/bytes.ts'
import type { Engine } from '../engine/types.ts'
import { chrfPlusPlus } from '../model/chrf.ts'
import type { TranslationItem } from '../protocol/translation.ts'
import { runTask, type TaskContext } from '../tasks/index.ts'
import { protectedParts } from '../tasks/translation/formats/index.ts'
import type { Sample } from './data.ts'

/** Texts of one request. */
const BATCH = 32

export interface Translated {
  readonly sample: Sample
  readonly item: TranslationItem
}

export interface PairScore {
  /** `en → de`. */
  readonly pair: string
  readonly texts: number
  /** 0 to 100. */
  readonly chrf: number
  /** Parts of the inputs that must stay as they are, and how many of them did. */
  readonly parts: number
  readonly survived: number
  /** Texts whose item has an error. */
  readonly errors: number
}

/** Translates all samples; `onDone` hears of each batch. */
export async function translateAll(
  samples: readonly Sample[],
  engine: Engine,
  onDone: (texts: number) => void = () => {},
): Promise<Translated[]> {
  const groups = Map.groupBy(samples, ({ from, to, format }) => `${from} ${to} ${format}`)
  const translated: Translated[] = []
  for (const group of groups.values()) {
    for (let at = 0; at < group.length; at += BATCH) {
      const batch = group.slice(at, at + BATCH)
      const items = await translateBatch(batch, engine)
      translated.push(...batch.map((sample, index) => ({ sample, item: items[index] ?? missing(index) })))
      onDone(batch.length)
    }
  }
  return translated
}

async function translateBatch(batch: readonly Sample[], engine: Engine): Promise<TranslationItem[]> {
  const [first] = batch
  if (!first) return []
  const { from, to, format } = first
  const body = {
    model: engine.info.id,
    input: batch.map(({ source }) => source),
    source_language: from,
    target_language: to,
    format,
  }
  const task = runTask({
    path: '/v1/translations',
    body: utf8(JSON.stringify(body)),
    context: contextOf(engine),
    engine,
  })
  let items: TranslationItem[] = []
  for await (const event of task) {
    if (event.type === 'body') items = JSON.parse(new TextDecoder().decode(event.bytes)).data
  }
  return items
}

/** Nothing is charged here, so the bounds are wide. */
function contextOf(engine: Engine): TaskContext {
  return {
    requestId: 'evaluation',
    created: 0,
    now: Date.now,
    model: engine.info.id,
    maxPromptTokens: 10_000_000,
    maxOutputTokens: 10_000_000,
    n: 1,
    stream: false,
    affordable: () => 10_000_000,
    signal: new AbortController().signal,
    meter: { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 },
  }
}

function missing(index: number): TranslationItem {
  return { index, text: '', detected_source_language: 'und' }
}

/** One line for each pair of languages, in the order of the test set. */
export function scoresOf(translated: readonly Translated[]): PairScore[] {
  const pairs = Map.groupBy(translated, ({ sample }) => `${sample.from} → ${sample.to}`)
  return [...pairs].map(([pair, texts]) => scoreOf(pair, texts))
}

/** The score of some texts together. */
export function scoreOf(pair: string, texts: readonly Translated[]): PairScore {
  const parts = texts.map(({ sample, item }) => {
    const raws = protectedParts({ text: sample.source }, sample.format)
    return { all: raws.length, kept: survivors(raws, item.text) }
  })
  return {
    pair,
    texts: texts.length,
    chrf: chrfPlusPlus(
      texts.map(({ sample, item }) => ({ hypothesis: item.text, reference: sample.reference })),
    ),
    parts: parts.reduce((sum, { all }) => sum + all, 0),
    survived: parts.reduce((sum, { kept }) => sum + kept, 0),
    errors: texts.filter(({ item }) => item.error !== undefined).length,
  }
}

/** How many of the parts stand in a text; each place counts for one part only, longer parts first. */
function survivors(raws: readonly string[], text: string): number {
  let rest = text
  let count = 0
  for (const raw of raws.toSorted((a, b) => b.length - a.length)) {
    const at = rest.indexOf(raw)
    if (at < 0) continue
    count++
    rest = `${rest.slice(0, at)}\u0000${rest.slice(at + raw.length)}`
  }
  return count
}
