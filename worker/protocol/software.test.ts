import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readSoftware } from './software.ts'

it('claims the version of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(readSoftware()).toEqual({ version, commit: 'unreleased' })
})
