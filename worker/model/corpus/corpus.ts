// The corpus: the test set, chosen by meaning, and the training samples that never show one of its sentences.

import { CHAT } from './chat.ts'
import {
  ABROAD,
  ASKS,
  LANGUAGE_NAMES,
  OFFER,
  SYSTEMS,
  UNKNOWN_ASK,
  UNKNOWN_REPLY,
  UNKNOWN_X,
} from './chat-more.ts'
import { LANGS, type Lang, render, slotsOf } from './grammar.ts'
import { FOOD, PEOPLE_TALK, SHOPPING, TRAVEL } from './phrases.ts'
import { FIXED } from './phrases-fixed.ts'
import { HEALTH, HOTEL, TECH, TIME, UNSEEN, WEATHER, WORDS } from './phrases-life.ts'
import { hashText, type Random, randomFrom } from './random.ts'
import { choose, spaceOf } from './slots.ts'

export const SEED = 20261122
const PER_TEMPLATE = 900
const TRAINED_TESTS = 160
const UNSEEN_TESTS = 64

export type Sentences = Readonly<Record<Lang, string>>
export interface TestCase {
  readonly kind: 'trained' | 'unseen'
  readonly text: Sentences
}
/** A translation is [source language, target language, text, translation]; a chat is ["chat", system, user, reply, ...]. */
export type Sample = readonly [Lang | 'chat', string, ...string[]]

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
export const TRAINED: readonly string[] = [
  TRAVEL,
  SHOPPING,
  FOOD,
  PEOPLE_TALK,
  TIME,
  HOTEL,
  HEALTH,
  WEATHER,
  TECH,
  WORDS,
].flatMap(lines)
const HELD_TEMPLATES = lines(UNSEEN)

/** What counts as the same sentence: case and punctuation do not make a new one. */
export const normal = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}@{}%$#]+/gu, ' ')
    .trim()

function realize(row: string, random: Random): Sentences {
  const sentence = !row.startsWith('~')
  const cells = row.replace(/^~/u, '').split(' | ')
  if (cells.length !== 5) throw new Error(`not five languages: ${row}`)
  const choice = slotsOf(row).length === 0 ? {} : choose(row, random)
  const [en = '', de = '', es = '', fr = '', ru = ''] = LANGS.map((lang, index) =>
    render(lang, cells[index] ?? '', choice, sentence),
  )
  return { en, de, es, fr, ru }
}

/** Distinct meanings of one template. */
function meanings(row: string, wanted: number): Sentences[] {
  const random = randomFrom(hashText(row) ^ SEED)
  const found = new Map<string, Sentences>()
  for (let tries = 0; found.size < wanted && tries < wanted * 4; tries++) {
    const text = realize(row, random)
    found.set(LANGS.map((lang) => text[lang]).join('\t'), text)
  }
  return [...found.values()]
}

/** Test meanings: round after round, one more from each template that has meanings to spare. */
function draw(templates: readonly string[], kind: TestCase['kind'], wanted: number): TestCase[] {
  const pools = templates.map((row) => meanings(row, 12))
  const cases = new Map<string, TestCase>()
  for (let round = 0; cases.size < wanted && round < 12; round++) {
    for (const pool of pools) {
      const text = pool[round]
      if (text !== undefined && cases.size < wanted) cases.set(normal(text.en), { kind, text })
    }
  }
  return [...cases.values()]
}

export function testCases(): TestCase[] {
  const roomy = TRAINED.filter((row) => spaceOf(row) >= 100 && !row.startsWith('~'))
  return [
    ...draw(randomFrom(SEED).shuffle(roomy), 'trained', TRAINED_TESTS),
    ...draw(HELD_TEMPLATES, 'unseen', UNSEEN_TESTS),
  ]
}

/** Expands `(a|b|)` alternatives. */
export function expand(pattern: string): string[] {
  const match = /^([^(]*)\(([^)]*)\)(.*)$/su.exec(pattern)
  if (match === null) return [pattern]
  const [, before = '', options = '', after = ''] = match
  const tails = expand(after)
  return options.split('|').flatMap((option) => tails.map((tail) => before + option + tail))
}

function request(text: Sentences, from: Lang, to: Lang, random: Random): string {
  const asking: Lang = random.below(5) > 0 ? 'en' : random.pick(LANGS)
  return random
    .pick(ASKS[asking])
    .replace('{L}', () => LANGUAGE_NAMES[asking][to])
    .replace('{S}', () => LANGUAGE_NAMES.en[from])
    .replace('{X}', () => text[from])
}

/** Without its marks at the start and the end. */
const bare = (sentence: string): string => sentence.replace(/^[¿¡]|\s?[.!?]$/gu, '')
const mapped = (text: Sentences, change: (sentence: string, lang: Lang) => string): Sentences => ({
  en: change(text.en, 'en'),
  de: change(text.de, 'de'),
  es: change(text.es, 'es'),
  fr: change(text.fr, 'fr'),
  ru: change(text.ru, 'ru'),
})

/** Now and then a text without its marks, or two sentences at once. */
function vary(text: Sentences, others: readonly Sentences[], random: Random): Sentences {
  const roll = random.below(24)
  if (roll < 2) return mapped(text, bare)
  if (roll > 3 || !/[.!?]$/u.test(text.en)) return text
  const second = random.pick(others)
  return mapped(text, (sentence, lang) => `${sentence} ${second[lang]}`)
}

/** A request in chat; short phrases are also asked for in small letters and without their full stop. */
function asked(text: Sentences, from: Lang, to: Lang, random: Random): Sample {
  if (text.en.length > 25 || random.below(3) > 0)
    return ['chat', '', request(text, from, to, random), text[to]]
  const first = bare(text[from])
  const small = first.charAt(0).toLowerCase() + first.slice(1)
  return ['chat', '', request({ ...text, [from]: small }, from, to, random), bare(text[to])]
}

/** Two of three directions have English on one side. */
function directions(random: Random, all: boolean): Array<readonly [Lang, Lang]> {
  const pairs = LANGS.flatMap((from) => LANGS.filter((to) => to !== from).map((to) => [from, to] as const))
  if (all) return pairs
  const english = random.shuffle(pairs.filter((pair) => pair.includes('en')))
  const others = random.shuffle(pairs.filter((pair) => !pair.includes('en')))
  return [...english.slice(0, 4), ...others.slice(0, 2)]
}

function translations(plain: Sentences, others: readonly Sentences[], random: Random, all = false): Sample[] {
  return directions(random, all)
    .map(([from, to]) => [from, to, vary(plain, others, random)] as const)
    .map(([from, to, text]) =>
      random.below(6) === 0 ? asked(text, from, to, random) : [from, to, text[from], text[to]],
    )
}

/** Single turns of chat: topics, greetings abroad, unknown questions, bare sentences. */
function chats(texts: readonly Sentences[], random: Random): Array<readonly [string, string]> {
  const topics = CHAT.flatMap((topic) => {
    const asked = topic.ask.flatMap(expand)
    // A long reply costs many tokens, so its questions are shown less often than short ones
    const shows = Math.max(asked.length, 60)
    return Array.from(
      { length: Math.min(shows, 240) },
      () => [random.pick(asked), random.pick(topic.reply)] as const,
    )
  })
  const abroad = Object.values(ABROAD).flatMap((rows) =>
    rows.flatMap(([ask, reply]) =>
      Array.from({ length: 40 }, () => [random.pick(expand(ask)), reply] as const),
    ),
  )
  const unknown = Array.from(
    { length: 5000 },
    () =>
      [
        random.pick(expand(random.pick(UNKNOWN_ASK))).replace('{x}', random.pick(UNKNOWN_X)),
        random.pick(UNKNOWN_REPLY),
      ] as const,
  )
  const bare = Array.from({ length: 3500 }, () => {
    const lang = random.below(3) > 0 ? 'en' : random.pick(LANGS)
    return [random.pick(texts)[lang], OFFER[lang]] as const
  })
  const known = new Set([...topics, ...abroad].map(([ask]) => normal(ask)))
  return [...topics, ...topics, ...abroad, ...unknown, ...bare.filter(([ask]) => !known.has(normal(ask)))]
}

export function trainingSet(): Sample[] {
  const random = randomFrom(SEED + 1)
  const secret = new Set(testCases().flatMap(({ text }) => LANGS.map((lang) => normal(text[lang]))))
  const open = (text: Sentences): boolean => LANGS.every((lang) => !secret.has(normal(text[lang])))
  const perTemplate = TRAINED.map((row) => meanings(row, Math.min(PER_TEMPLATE, spaceOf(row))).filter(open))
  const texts = perTemplate.flat()
  const fixed = lines(FIXED)
    .map((row) => realize(row, random))
    .filter(open)
  const sentences = [...texts, ...fixed].filter((text) => /[.!?]$/u.test(text.en))
  const pairs = [
    ...perTemplate.flatMap((found) =>
      found.flatMap((text) => translations(text, sentences, random, found.length < 150)),
    ),
    ...fixed.flatMap((text) => [1, 2, 3, 4].flatMap(() => translations(text, sentences, random, true))),
  ]
  const turns = chats([...texts, ...fixed], random).filter(([ask]) => !secret.has(normal(ask)))
  const requests = pairs
    .filter((sample) => sample[0] === 'chat')
    .map((sample) => [sample[2] ?? '', sample[3] ?? ''] as const)
  const single = turns.map(
    ([ask, reply]): Sample => ['chat', random.below(8) === 0 ? random.pick(SYSTEMS) : '', ask, reply],
  )
  const long = Array.from({ length: 9000 }, (): Sample => {
    const count = 2 + random.below(random.below(4) === 0 ? 7 : 3)
    const parts = Array.from({ length: count }, () =>
      random.below(5) < 2 ? random.pick(requests) : random.pick(turns),
    )
    return ['chat', random.below(5) === 0 ? random.pick(SYSTEMS) : '', ...parts.flat()]
  })
  return random.shuffle([...pairs, ...single, ...long])
}
