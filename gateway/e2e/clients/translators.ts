import { AuthorizationError, DeepLClient } from 'deepl-node'
import { Translate } from 'translate'
import { describe, expect, it } from 'vitest'
import { stack } from './shared.ts'

const DEPARTURE = 'Where is the station?'

describe('deepl-node by serverUrl', () => {
  const client = (key = stack().ready.apiKey) =>
    new DeepLClient(key, { serverUrl: stack().origin, maxRetries: 0 })

  it('translates one text and many, in order', async () => {
    const one = await client().translateText('Good morning!', null, 'de')
    expect(one).toMatchObject({ text: 'Guten Morgen!', detectedSourceLang: 'en', billedCharacters: 13 })
    const many = await client().translateText(['Good morning!', DEPARTURE], 'en', 'fr')
    expect(many.map(({ text }) => text)).toEqual(['Bonjour !', 'Où est la gare ?'])
    expect(await client().translateText('Guten Morgen!', 'de', 'en-US')).toMatchObject({
      text: 'Good morning!',
    })
  })

  it('counts characters, and knows the languages of the model', async () => {
    const before = (await client().getUsage()).character?.count ?? 0
    await client().translateText('Thank you', 'en', 'es')
    const { character } = await client().getUsage()
    expect(character?.count).toBe(before + 'Thank you'.length)
    const codes = (await client().getTargetLanguages()).map(({ code }) => code)
    expect(codes.sort()).toEqual(['de', 'en', 'es', 'fr', 'ru'])
    expect((await client().getSourceLanguages()).map(({ code }) => code).sort()).toEqual(codes)
  })

  it('meets the errors of its own classes', async () => {
    await expect(client('sk-chry-wrong').getUsage()).rejects.toThrow(AuthorizationError)
    const strange = client().translateText('Hello', 'en', 'ja')
    await expect(strange).rejects.toThrow(/'target_lang'.* en, de, es, fr, ru/)
  })

  it('keeps tags, and follows wishes as far as the model can', async () => {
    const text = `<p>Good morning!</p><p>${DEPARTURE}</p>`
    const wishes = { tagHandling: 'html', formality: 'prefer_more', context: 'At a counter' } as const
    const { text: kept } = await client().translateText(text, 'en', 'fr', wishes)
    expect(kept).toBe('<p>Bonjour !</p><p>Où est la gare ?</p>')
    const less = client().translateText(DEPARTURE, 'en', 'de', { formality: 'less' })
    await expect(less).rejects.toThrow(/formality/)
  })
})

describe('translate, with the engine libre', () => {
  const open = (key = stack().ready.apiKey) => {
    // Its types lack the address, its documentation has it.
    const options = { engine: 'libre', url: `${stack().origin}/translate`, key } as const
    return Translate(options)
  }

  it('translates', async () => {
    expect(await open()(DEPARTURE, { from: 'en', to: 'fr' })).toBe('Où est la gare ?')
    expect(await open()('Guten Morgen!', { from: 'de', to: 'es' })).toBe('¡Buenos días!')
  })

  it('is told why not', async () => {
    await expect(open()('Hello', { from: 'en', to: 'ja' })).rejects.toThrow(/'target'.* en, de, es, fr, ru/)
    await expect(open('sk-chry-wrong')('Thanks', { from: 'en', to: 'de' })).rejects.toThrow(/API key/)
  })

  it('keeps the order of many texts, asked as its own web page does', async () => {
    const q = ['Good morning!', DEPARTURE, 'Good evening!']
    const body = JSON.stringify({ q, source: 'auto', target: 'de', api_key: stack().ready.apiKey })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${stack().origin}/translate`, { method: 'POST', headers, body })
    expect(await response.json()).toMatchObject({
      translatedText: ['Guten Morgen!', 'Wo ist der Bahnhof?', 'Guten Abend!'],
      detectedLanguage: [{ language: 'en' }, { language: 'en' }, { language: 'en' }],
    })
  })
})
