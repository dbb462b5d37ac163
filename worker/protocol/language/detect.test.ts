import { describe, expect, it } from 'vitest'
import { readTestSet } from '../../model/testset.ts'
import { detectLanguage, SAMPLE_LENGTH, sampleOf, withoutNoise } from './detect.ts'

const languages = ['de', 'en', 'es', 'fr', 'ru'] as const

describe('detectLanguage', () => {
  it('finds the language of 99.5 % of the phrasebook', () => {
    const samples = readTestSet().flatMap(({ text }) =>
      languages.map((language) => ({ language, text: text[language] })),
    )
    const wrong = samples.filter(({ language, text }) => detectLanguage(text, languages) !== language)
    expect(samples.length).toBeGreaterThan(1000)
    expect(wrong.length / samples.length).toBeLessThan(0.005)
  })

  it.each([
    [
      'en',
      [
        'Hello',
        'Thank you',
        'Where is it?',
        'Yes, please',
        'I am here',
        'the table',
        'Good night',
        "I don't know",
      ],
    ],
    [
      'de',
      ['Hallo', 'Guten Morgen', 'Danke', 'Wo ist es?', 'Ich bin hier', 'der Tisch', 'Tschüss', 'Straße'],
    ],
    ['es', ['Hola', 'Gracias', '¿Qué?', 'la mesa', 'Buenas noches', '¡Adiós!', 'mañana', 'Estoy aquí']],
    [
      'fr',
      ['Bonjour', 'Merci', 'Où est-ce ?', 'le livre', "S'il vous plaît", 'le cœur', "J'ai faim", 'Au revoir'],
    ],
    ['ru', ['Привет', 'Спасибо', 'Где это?', 'стол', 'да']],
  ])('knows short phrases in %s', (language, phrases) => {
    for (const phrase of phrases)
      expect([phrase, detectLanguage(phrase, languages)]).toEqual([phrase, language])
  })

  it('is not misled by addresses, names of files and placeholders', () => {
    expect(detectLanguage('Hola, {first_name}!', languages)).toBe('es')
    expect(detectLanguage('Hallo, the.user@the-company.co.uk!', languages)).toBe('de')
    expect(detectLanguage('Bonjour https://www.the-and-is.com/with-you', languages)).toBe('fr')
  })

  it('says nothing when nothing is known', () => {
    expect(detectLanguage('123', languages)).toBeUndefined()
    expect(detectLanguage('東京', languages)).toBeUndefined()
  })

  it('chooses among all languages for a model that does not name its own', () => {
    expect(detectLanguage('Dove si trova la stazione?')).toBe('it')
    expect(detectLanguage('東京はどこですか')).toBe('ja')
  })
})

/** Patterns that backtrack take hours for these. */
const hostile = [
  'a',
  '@',
  'a@',
  '#',
  '{',
  '<',
  '{<',
  'a.',
  'a.b',
  '.ab',
  ' ',
  '\t \u00a0',
  '\n ',
  '\n',
  '1',
  'http://',
  'h',
  'Ab. ',
  '. (',
  '"."',
]

describe('a hostile text of a megabyte', () => {
  it.each(hostile)(
    'of %j takes no longer than others',
    (unit) => {
      const text = `${unit.repeat(1_000_000 / unit.length)}!`
      const spaced = `a${text}a`
      expect(withoutNoise(text).length).toBeLessThanOrEqual(text.length + 1)
      for (const each of [text, spaced]) {
        expect(sampleOf(each).length).toBeLessThanOrEqual(SAMPLE_LENGTH)
        detectLanguage(each, languages)
      }
    },
    20_000,
  )
})

describe('the sample of a long text', () => {
  it('is its beginning, from its first letter on', () => {
    const german = 'Ich habe heute ein Buch und einen Tisch gekauft. '.repeat(60)
    const english = 'I would like to have a book and the table today. '.repeat(2000)
    expect(detectLanguage(german + english, languages)).toBe('de')
    expect(detectLanguage('1 2 3 '.repeat(10_000) + german, languages)).toBe('de')
    expect(detectLanguage(`${' '.repeat(50_000)}{the_and_is} ${german}`, languages)).toBe('de')
  })
})
