import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withFieldTables } from './fields.ts'

const page = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test('the tables of gateway/README.md are those of the code; else run `npm run docs`', () => {
  expect(withFieldTables(page)).toBe(page)
  expect(page).toContain('| `logit_bias` | honoured |')
  expect(page).toContain('| `web_search_options` | refused |')
})

test('tables that are old are made anew, and a page without a place for them is a mistake', () => {
  const old = page.replace('| `logit_bias` | honoured |', '| `logit_bias` | ignored |')
  expect(old).not.toBe(page)
  expect(withFieldTables(old)).toBe(page)
  expect(() => withFieldTables('# nothing')).toThrow('the page has no')
})
