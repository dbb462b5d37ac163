/** @module Which language is this text in? n-gram statistics (eld), helped by what decides short phrases. */

import { eld } from 'eld/extrasmall'

/**
 * Words so common that one of them outweighs the statistics of a short phrase: greetings, articles, pronouns.
 * Only words that none of the other languages here shares.
 */
const commonWords: Readonly<Record<string, string>> = {
  de: 'ich sie wir er es ist sind der das und nicht ein eine einen haben habe hat hallo guten danke bitte tschüss wo wie wann warum mit für auf zum zur wohnt heißt kostet kosten oder ja nein',
  en: "i you he she we they the is are and not have has hello hi please thanks thank goodbye bye yes where what how when who why with for of to it's i'm don't would like costs cost this that my good morning evening night",
  es: 'yo tú usted él ella nosotros el los las y es está son hola gracias adiós sí dónde qué cómo cuándo quién por con una unos tengo tiene quiero buenos buenas días noches cuesta cuestan mi o del al té',
  fr: "je tu vous il elle nous ils le les et est sont bonjour bonsoir salut merci oui où quoi comment quand qui pourquoi avec des du une avez s'il plaît j'ai c'est coûte coûtent mon ma ou au revoir dans sur",
  it: 'io lui lei noi il gli è sono ciao grazie prego sì dove cosa come quando perché con una buongiorno buonasera',
  pt: 'eu você ele ela nós os as é são olá obrigado obrigada sim não onde como quando quem com uma bom boa dia noite',
  nl: 'ik jij hij zij wij het een is zijn hallo dank ja nee waar wat hoe wanneer wie met voor goedemorgen',
  ru: 'я ты вы он она мы они это и не есть привет здравствуйте спасибо пожалуйста да нет где что как когда кто',
}

/** Letters and marks that settle it between the languages of one script. */
const tellingLetters: readonly (readonly [RegExp, string])[] = [
  [/[¿¡ñ]/i, 'es'],
  [/ß/, 'de'],
  [/[äöü]/i, 'de'],
  [/œ|[àâèêîôû]|ç|« | »/i, 'fr'],
  [/[ыэёъ]/i, 'ru'],
  [/[іїєґ]/i, 'uk'],
  [/[ãõ]/i, 'pt'],
]

/** Scripts that few languages share: a text in one of them can be in no other language. */
const scripts: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\p{Script=Cyrillic}/gu, ['ru', 'uk', 'be', 'bg', 'sr', 'mk', 'kk']],
  [/\p{Script=Greek}/gu, ['el']],
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/gu, ['ja']],
  [/\p{Script=Hangul}/gu, ['ko']],
  [/\p{Script=Arabic}/gu, ['ar', 'fa', 'ur']],
  [/\p{Script=Hebrew}/gu, ['he', 'yi']],
  [/\p{Script=Han}/gu, ['zh', 'ja']],
]

const wordWeight = 1
const letterWeight = 0.5
const wordSets = new Map(
  Object.entries(commonWords).map(([language, words]) => [language, new Set(words.split(' '))]),
)

/** What detection looks at, in UTF-16 units: more tells no more, and its work must not grow with the text. */
export const SAMPLE_LENGTH = 2048
/** Before the first letter, so that an address or a placeholder is seen whole. */
const SAMPLE_LEAD = 32

// None of these can start a second time within what it has passed, so all of them take linear time.
const placeholder = /\{[^{}]*\}|<[^<>]*>/g
const address = /https?:\/\/|\S@\S|\S\.\w{2,4}(?!\w)/
const handleOrNumber = /[#@]\w+|\p{N}+/gu

/** True when a text has anything to translate: a letter of any script. */
export function hasLetters(text: string): boolean {
  return /\p{L}/u.test(text)
}

/** The part of a text that detection looks at: what begins shortly before its first letter. */
export function sampleOf(text: string): string {
  if (text.length <= SAMPLE_LENGTH) return text
  const start = Math.max(0, text.search(/\p{L}/u) - SAMPLE_LEAD)
  return text.slice(start, start + SAMPLE_LENGTH)
}

/** A text without what is not language: addresses, placeholders, handles, file names, numbers. */
export function withoutNoise(text: string): string {
  const tokens = text.replace(placeholder, ' ').split(/\s+/)
  const words = tokens.filter((token) => !address.test(token))
  return words.join(' ').replace(handleOrNumber, ' ')
}

/** The most likely language of a text among `candidates`; undefined when nothing speaks for any of them. */
export function detectLanguage(text: string, candidates?: readonly string[]): string | undefined {
  return ranked(text, candidates)[0]?.[0]
}

/** A language that a text may be in. */
export interface RankedLanguage {
  readonly language: string
  /** From 0 to 1: its part of all that speaks for any language. */
  readonly confidence: number
}

/** The languages that something in the text speaks for, the likeliest first. */
export function rankLanguages(text: string, candidates?: readonly string[]): RankedLanguage[] {
  const found = ranked(text, candidates).filter(([, score]) => score > 0)
  const all = found.reduce((sum, [, score]) => sum + score, 0)
  return found.map(([language, score]) => ({ language, confidence: score / all }))
}

function ranked(
  text: string,
  candidates: readonly string[] | undefined,
): [language: string, score: number][] {
  const sample = sampleOf(text)
  const cleaned = withoutNoise(sample)
  const words = hasLetters(cleaned) ? cleaned : sample
  const possible = byScript(words, candidates)
  if (possible?.length === 1) return possible.map((language) => [language, 1])
  const scores = statistics(words, candidates)
  const add = (language: string, weight: number) => {
    if (candidates && !candidates.includes(language)) return
    scores.set(language, (scores.get(language) ?? 0) + weight)
  }
  for (const [letters, language] of tellingLetters) if (letters.test(words)) add(language, letterWeight)
  for (const word of words.toLowerCase().match(/[\p{L}'’]+/gu) ?? []) {
    const plain = word.replaceAll('’', "'")
    for (const [language, known] of wordSets) if (known.has(plain)) add(language, wordWeight)
  }
  const suited = [...scores].filter(([language]) => !possible || possible.includes(language))
  return suited.sort((a, b) => b[1] - a[1])
}

function statistics(text: string, candidates: readonly string[] | undefined): Map<string, number> {
  const scores = Object.entries(eld.detect(text).getScores())
  return new Map(scores.filter(([language]) => !candidates || candidates.includes(language)))
}

/** The candidates that are written in this text's script; undefined when the script says nothing. */
function byScript(text: string, candidates: readonly string[] | undefined): readonly string[] | undefined {
  const letters = text.match(/\p{L}/gu)?.length ?? 0
  for (const [script, languages] of scripts) {
    const found = text.match(script)?.length ?? 0
    if (found * 2 <= letters) continue
    const possible = candidates ? languages.filter((language) => candidates.includes(language)) : languages
    return possible.length > 0 ? possible : undefined
  }
  return undefined
}
