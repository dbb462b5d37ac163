import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('only files that say so need Node', () => {
  const folder = new URL('.', import.meta.url)
  const files = readdirSync(folder).filter(
    (name) => name.endsWith('.ts') && !/^node-|testing|\.test\./.test(name),
  )
  expect(files.length).toBeGreaterThan(8)
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), 'utf8')
    expect(text, file).not.toMatch(/from '(node:|\.\/node-|\.\/testing)|\bBuffer\.[a-z]|\bprocess\.[a-z]/)
  }
})
