import { expect, test } from 'vitest'
import { readSettings } from './config.ts'

test('a model id that no request could name is refused at the start', () => {
  const read = (id: string) => readSettings({ argv: ['--model-id', id], env: {} })
  for (const id of ['my model', 'modèle', 'x'.repeat(257)]) expect(() => read(id)).toThrow(/modelId|model-id/)
  expect(read('org/model:7b').modelId).toBe('org/model:7b')
})
