// Which words a slot may take. A slot's name may carry a digit (`c2`): the same list, another word.

import { type Entry, parseRows, slotsOf } from './grammar.ts'
import * as lexicon from './lexicon.ts'
import { hashText, type Random, randomFrom, range } from './random.ts'
import * as words from './words.ts'

const rows = (lines: readonly string[]): Entry[] => parseRows(lines.join('\n'))

/** Clock times, hours 2 to 23: Spanish then always says "las". */
const clocks = rows(
  range(2, 24).flatMap((hour) =>
    ['00', '05', '10', '15', '20', '30', '40', '45', '50'].map(
      (minute) =>
        `${hour}:${minute} | ${hour}:${minute} Uhr | ${hour}:${minute} | ${hour} h ${minute} | ${hour}:${minute}`,
    ),
  ),
)

const prices = rows(
  [...range(2, 60), 75, 80, 99, 100, 120, 150, 200, 250, 300, 500, 1000].map(
    (amount) => `${amount} euros | ${amount} Euro | ${amount} euros | ${amount} euros | ${amount} евро`,
  ),
)

/** Numbers after which Russian takes the genitive plural. */
const plain = [...range(5, 21), ...range(25, 31), ...range(35, 41), ...range(45, 51), 60, 65, 70, 80]

/** Things that must be copied: placeholders, addresses, handles, codes, emoji. Made-up words, so that copying is learnt and no list of words. */
const made = randomFrom(hashText('copies'))
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const word = (): string =>
  range(0, 2 + made.below(5))
    .map(() =>
      made.below(2) > 0
        ? made.pick(['an', 'er', 'in', 'ta', 'mo', 'user', 'data', 'ri', 'su', 'le', 'na', 'ko', 'be'])
        : made.pick([...LETTERS]),
    )
    .join('')
const digits = (): string => String(made.below(10 ** (1 + made.below(4))))
const SHAPES: ReadonlyArray<() => string> = [
  () => `{${made.below(10)}}`,
  () => `{${word()}}`,
  () => `{${word()}_${word()}}`,
  () => `{{${word()}}}`,
  () => '%s',
  () => '%d',
  () => `%${1 + made.below(5)}$s`,
  () => `$${word().toUpperCase()}`,
  () => `@${word()}`,
  () => `@${word()}_${digits()}`,
  () => `@${word()}.${word()}`,
  () => `https://${word()}.org`,
  () => `https://example.com/${word()}/${digits()}`,
  () => `https://www.${word()}${digits()}.net/${word()}?id=${digits()}`,
  () => `${word()}@example.org`,
  () => `${word()}.${word()}@${word()}.com`,
  () => `#${word()}${digits()}`,
  () => `${word().toUpperCase().slice(0, 4)}-${digits()}`,
  () => `\`${word()}.${word()}()\``,
  () => `${word()}-${digits()}.txt`,
  () => `<${word()}>`,
  () => `[${digits()}]`,
  () => `${word()}.example.net`,
  () => `"${word()}"`,
  () =>
    made.pick([
      '😀',
      '🙂',
      '🚀',
      '🦋',
      '🔒',
      '🔑',
      '🎉',
      '❤️',
      '👍',
      '🌍',
      '☕',
      '🚆',
      '📦',
      '✅',
      '⭐',
      '🍎',
    ]),
]
const copies = rows([...new Set(range(0, 4000).map(() => made.pick(SHAPES)()))])

const LISTS: Readonly<Record<string, readonly Entry[]>> = {
  n: parseRows(lexicon.NOUNS),
  p: parseRows(lexicon.PLACES),
  f: parseRows(lexicon.FOODS),
  h: parseRows(lexicon.PEOPLE),
  s: parseRows(lexicon.SUBJECTS),
  c: parseRows(lexicon.CITIES),
  l: parseRows(lexicon.COUNTRIES),
  g: parseRows(lexicon.TONGUES),
  name: parseRows(lexicon.NAMES),
  v: parseRows(words.ACTIONS),
  i: parseRows(words.TASKS),
  t: parseRows(words.WHENS),
  // "nicht eine" is bad German, so a negated task is a definite one
  ni: parseRows(words.TASKS).filter((task) => !/^(einen?|ein) /u.test(task.de.forms[0] ?? '')),
  habit: parseRows(words.HABITS),
  day: parseRows(words.WEEKDAYS),
  adj: parseRows(words.ADJECTIVES),
  col: parseRows(words.COLOURS),
  taste: parseRows(words.TASTES),
  many: parseRows(words.PLURALS),
  num: parseRows(words.COUNTS),
  body: parseRows(words.BODY),
  veh: parseRows(words.VEHICLES),
  clock: clocks,
  price: prices,
  copy: copies,
  age: rows(plain.map(String)),
  degrees: rows(plain.map(String)),
  room: rows(range(0, 80).map((index) => String(((index * 53) % 800) + 101))),
}

function list(slot: string): readonly Entry[] {
  const entries = LISTS[slot.replace(/\d$/u, '')]
  if (entries === undefined) throw new Error(`unknown slot ${slot}`)
  return entries
}

/** How many different meanings a template has. */
export const spaceOf = (row: string): number =>
  slotsOf(row).reduce((product, slot) => product * list(slot).length, 1)

/** One choice of words; two slots of the same list take different words. */
export function choose(row: string, random: Random): Record<string, Entry> {
  const choice: Record<string, Entry> = {}
  for (const slot of slotsOf(row)) {
    const taken = Object.entries(choice)
      .filter(([name]) => name.replace(/\d$/u, '') === slot.replace(/\d$/u, ''))
      .map(([, entry]) => entry)
    choice[slot] = random.pick(list(slot).filter((entry) => !taken.includes(entry)))
  }
  return choice
}
