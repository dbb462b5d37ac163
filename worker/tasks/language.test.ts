import { describe, expect, it } from 'vitest'
import { readTestSet } from '../model/testset.ts'
import { detectLanguage } from './language.ts'

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
