// Turns a five-language template and a choice of slot words into five sentences.
// The lexicon gives the forms; only German, Spanish and French articles are computed.

export const LANGS = ['en', 'de', 'es', 'fr', 'ru'] as const
export type Lang = (typeof LANGS)[number]

/** One word in one language: its grammatical class (m, f, n, p or a digit for a person) and its forms. */
export interface Word {
  readonly kind: string
  readonly forms: readonly string[]
}
export type Entry = Readonly<Record<Lang, Word>>
export type Choice = Readonly<Record<string, Entry>>

const GENDERS = 'mfnp'

/** A cell is `[kind ]form[,form...]`; the kind is m f n p or #0 to #3, and may be left out. */
export function parseWord(cell: string): Word {
  const match = /^#?((?<=#)\d|(?<!#)[mfnp])\s+(.*)$/u.exec(cell.trim())
  const kind = match?.[1] ?? ''
  const forms = (match?.[2] ?? cell.trim()).split(',').map((form) => form.trim())
  return { kind, forms }
}

/** A row is five cells, `en | de | es | fr | ru`; a row of one cell is the same in every language. */
export function parseRow(row: string): Entry {
  const cells = row.split('|').map((cell) => cell.trim())
  const at = (index: number): Word => parseWord(cells[index] ?? cells[0] ?? '')
  if (cells.length !== 1 && cells.length !== 5) throw new Error(`not five cells: ${row}`)
  return { en: at(0), de: at(1), es: at(2), fr: at(3), ru: at(4) }
}

export function parseRows(text: string): Entry[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(parseRow)
}

const DE_ARTICLES: Readonly<Record<string, readonly string[]>> = {
  // m, f, n, p
  der: ['der', 'die', 'das', 'die'],
  den: ['den', 'die', 'das', 'die'],
  dem: ['dem', 'der', 'dem', 'den'],
  ein: ['ein', 'eine', 'ein', ''],
  einen: ['einen', 'eine', 'ein', ''],
  einem: ['einem', 'einer', 'einem', ''],
  mein: ['mein', 'meine', 'mein', 'meine'],
  meinen: ['meinen', 'meine', 'mein', 'meine'],
  meinem: ['meinem', 'meiner', 'meinem', 'meinen'],
  kein: ['kein', 'keine', 'kein', 'keine'],
  keinen: ['keinen', 'keine', 'kein', 'keine'],
  dieser: ['dieser', 'diese', 'dieses', 'diese'],
  diesen: ['diesen', 'diese', 'dieses', 'diese'],
  zum: ['zum', 'zur', 'zum', 'zu den'],
  vom: ['vom', 'von der', 'vom', 'von den'],
}
const ES_ARTICLES: Readonly<Record<string, readonly string[]>> = {
  el: ['el', 'la', '', 'los'],
  un: ['un', 'una', '', 'unos'],
  del: ['del', 'de la', '', 'de los'],
  al: ['al', 'a la', '', 'a los'],
  este: ['este', 'esta', '', 'estos'],
}
const FR_ARTICLES: Readonly<Record<string, readonly string[]>> = {
  le: ['le', 'la', '', 'les'],
  un: ['un', 'une', '', 'des'],
  du: ['du', 'de la', '', 'des'],
  au: ['au', 'à la', '', 'aux'],
  ce: ['ce', 'cette', '', 'ces'],
  mon: ['mon', 'ma', '', 'mes'],
  de: ['de', 'de', '', 'de'],
}
const ELIDED: Readonly<Record<string, string>> = {
  le: "l'",
  du: "de l'",
  au: "à l'",
  ce: 'cet ',
  mon: 'mon ',
  de: "d'",
}

const startsWithVowel = (text: string): boolean => /^[aeiouhàâéèêîôœ]/iu.test(text)

function french(article: string, word: Word, noun: string): string {
  const short = ELIDED[article]
  const elides = startsWithVowel(noun) && word.kind !== 'p' && short !== undefined
  if (elides && !(article === 'ce' && word.kind === 'f')) return short + noun
  return `${FR_ARTICLES[article]?.[GENDERS.indexOf(word.kind)] ?? ''} ${noun}`
}

function english(article: string, noun: string): string {
  return article === 'a' ? `${/^([aeio]|u(?!ni))/iu.test(noun) ? 'an' : 'a'} ${noun}` : `the ${noun}`
}

/** The form of one slot: a number picks a form, anything else is an article in front of the first form. */
function form(lang: Lang, word: Word, spec: string): string {
  const first = word.forms[0] ?? ''
  if (spec === '') return first
  if (/^\d$/u.test(spec)) return word.forms[Number(spec)] ?? first
  if (lang === 'en') return english(spec, first)
  if (lang === 'fr') return french(spec, word, first)
  const table = lang === 'de' ? DE_ARTICLES : ES_ARTICLES
  const article = table[spec]?.[GENDERS.indexOf(word.kind)]
  if (article === undefined) throw new Error(`no article ${spec} for ${first} in ${lang}`)
  return `${article} ${first}`.trim()
}

/** `{x?a/b/c}` picks by the kind of x: gender m/f/n/p, or the person's digit. */
function agree(word: Word, options: readonly string[]): string {
  const index = /^\d$/u.test(word.kind) ? Number(word.kind) : GENDERS.indexOf(word.kind)
  return options[index] ?? options[0] ?? ''
}

/** `{v@s}` and `{a@n}`: the form of a verb or adjective for a person or gender; `acc` is the Russian feminine accusative. */
function matching(word: Word, kind: string, spec: string | undefined): string {
  const index = spec === 'acc' && kind === 'f' ? 3 : /^\d$/u.test(kind) ? Number(kind) : GENDERS.indexOf(kind)
  return word.forms[index] ?? word.forms[0] ?? ''
}

/** French drops the vowel of these little words before another vowel. */
const elide = (text: string): string =>
  text
    .replace(/(?<!\p{L})(j|n)e (?=[aeiouyhâàéèêîôœ])/giu, "$1'")
    .replace(/(?<!\p{L})(qu|m|s|d)e (?=[aeiouâàéèêîôœ])/giu, "$1'")

/** Spanish "agua" is feminine but takes the masculine article. */
const agua = (text: string): string =>
  text
    .replace(/(?<!\p{L})(a |de )?la agua/giu, (_, word?: string) =>
      word === undefined ? 'el agua' : `${word.trim() === 'a' ? 'al' : 'del'} agua`,
    )
    .replaceAll('una agua', 'un agua')

const capitalize = (text: string): string =>
  text.replace(/^([¿¡"«]*)(\p{Ll})/u, (_, marks: string, letter: string) => marks + letter.toUpperCase())

const SLOT = /\{([a-z]+\d?)(?::([a-z0-9]+))?(?:\?([^}]*))?(?:@([a-z]+\d?))?\}/gu

export function slotsOf(template: string): string[] {
  return [
    ...new Set([...template.matchAll(SLOT)].flatMap((match) => [match[1] ?? '', match[4] ?? ''])),
  ].filter((name) => name !== '')
}

/** Renders one language. `{v@s}` takes the form of v that the person of s asks for. */
export function render(lang: Lang, template: string, choice: Choice, sentence = true): string {
  const text = template.replace(SLOT, (_, name: string, spec?: string, options?: string, by?: string) => {
    const word = choice[name]?.[lang]
    if (word === undefined) throw new Error(`no slot ${name} in: ${template}`)
    if (by !== undefined) return matching(word, choice[by]?.[lang].kind ?? '', spec)
    if (options !== undefined) return agree(word, options.split('/'))
    return form(lang, word, spec ?? '')
  })
  const tidy = text.replaceAll(' -empty-', '').replaceAll('-empty- ', '').replace(/ {2,}/gu, ' ').trim()
  const whole = lang === 'fr' ? elide(tidy) : lang === 'es' ? agua(tidy) : tidy
  return sentence ? capitalize(whole) : whole
}
