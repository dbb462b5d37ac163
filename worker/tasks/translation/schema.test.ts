import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, it } from 'vitest'
import { scriptedEngine } from '../../engine/testing/scripted.ts'
import { translationEventSchema, translationResponseSchema } from '../../protocol/translation.ts'
import { run } from '../testing.ts'

const ajv = new Ajv2020({ strict: false })
const isResponse = ajv.compile(translationResponseSchema)
const isEvent = ajv.compile(translationEventSchema)

it('every document is what its JSON Schema says, with all that an item may have', async () => {
  const body = {
    input: [
      { text: 'Hello @bob, the book', entities: [{ type: 'bold', offset: 12, length: 8 }] },
      'Hello {name}!',
      'Βιβλίο',
      '42',
    ],
    format: 'telegram',
    target_language: 'de',
    glossary: [{ source: 'book', target: 'Buch' }],
    alternatives: 1,
  }
  const engine = scriptedEngine({ script: () => ['Hallo @bob, <b>das Buch</b>'] })
  const whole = await run('/v1/translations', body, engine)
  expect(isResponse(whole.body), ajv.errorsText(isResponse.errors)).toBe(true)
  const names = new Set((whole.body.data as object[]).flatMap((item) => Object.keys(item)))
  expect(names).toEqual(
    new Set(['index', 'text', 'detected_source_language', 'entities', 'alternatives', 'glossary', 'error']),
  )
  const { documents } = await run('/v1/translations', { ...body, stream: true }, engine)
  for (const document of documents) expect(isEvent(document), JSON.stringify(document)).toBe(true)
})
