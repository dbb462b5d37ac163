import fc from 'fast-check'
import { expect, test } from 'vitest'
import { modelSchema } from '../../attest/seal/context.ts'
import { modelIdSchema } from './ids.ts'
import { parseTranslationRequest } from './translation.ts'

const inContext = (id: string) => modelSchema.safeParse({ id, sha256: '00'.repeat(32) }).success
const allowed = (id: string) => modelIdSchema.safeParse(id).success

test('a model may be called exactly what the context of a sealed request can hold', () => {
  for (const id of ['', ' ', 'a b', 'a\n', 'modèle', 'a\u007f', 'x'.repeat(257)])
    expect(allowed(id)).toBe(false)
  for (const id of ['chrysalis/tiny', '!', '~', 'x'.repeat(256)]) expect(allowed(id)).toBe(true)
  const names = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 8 }))
  fc.assert(fc.property(names, (id) => allowed(id) === inContext(id)))
})

test('a request for a model that cannot exist is refused by name', () => {
  const request = { model: 'a b', input: 'Hi', target_language: 'de' }
  expect(() => parseTranslationRequest(request)).toThrow(
    expect.objectContaining({ status: 400, param: 'model' }),
  )
})
