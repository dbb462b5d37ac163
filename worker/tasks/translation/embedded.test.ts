import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ChildEngine, embeddedModel, startEngine } from '../../engine/index.ts'
import type { TranslationItem } from '../../protocol/translation.ts'
import { run as runPath } from '../testing.ts'

let engine: ChildEngine
beforeAll(async () => {
  engine = await startEngine({ modelPath: embeddedModel.path, gpu: 'off', threads: 1, sequences: 4 })
})
afterAll(() => engine.close())

async function translate(body: Record<string, unknown>): Promise<TranslationItem[]> {
  const request = { model: embeddedModel.id, source_language: 'en', target_language: 'de', ...body }
  const ran = await runPath('/v1/translations', request, engine, {
    model: embeddedModel.id,
    maxPromptTokens: 1e6,
    maxOutputTokens: 1e6,
    affordable: () => 1e6,
  })
  return ran.body.data as TranslationItem[]
}

it('the real model keeps what it is shown to keep, in every format', async () => {
  const html = '<h1>Good morning!</h1><ul><li>Thank you.</li><li>Where is the station?</li></ul>'
  const [page] = await translate({ format: 'html', input: html })
  expect(page?.text).toMatch(/^<h1>Guten Morgen!<\/h1><ul><li>.+<\/li><li>Wo ist der Bahnhof\?<\/li><\/ul>$/)
  expect(page).not.toHaveProperty('error')
  const [list] = await translate({
    format: 'markdown',
    input: '# Good morning!\n\n- **Where is the station?**\n',
  })
  expect(list?.text).toBe('# Guten Morgen!\n\n- **Wo ist der Bahnhof?**\n')
  const [visit] = await translate({ input: 'Visit https://ton.org/docs for more information.' })
  expect(visit?.text).toContain('https://ton.org/docs')
})

it('an item of the real model either has all its placeholders or says that it has not', async () => {
  const sentences = [
    ['Hello, {name}!', ['{name}']],
    ['You have %d new messages from @anna.', ['%d', '@anna']],
    ['The value of {{count}} is 12.', ['{{count}}']],
    ['{first} works in {city}.', ['{first}', '{city}']],
  ] as const
  const items = await translate({ input: sentences.map(([text]) => text) })
  for (const [index, [, raws]] of sentences.entries()) {
    const { text = '', error } = items[index] ?? {}
    expect(raws.every((raw) => text.includes(raw)) || error?.code).toBe(error?.code ?? true)
  }
  expect(items[0]).toMatchObject({ text: 'Hallo, {name}!' })
})
