import { expect, it } from 'vitest'
import { importedPackages } from '../testing.ts'

it('verification needs nothing of Node, so that a browser can do it', () => {
  expect(importedPackages(new URL('./index.ts', import.meta.url), { later: true })).toEqual([
    '@noble/hashes/sha2.js',
    '@scure/base',
    '@xmldom/xmldom',
    'canonicalize',
    'jose',
    'xmldsigjs',
    'zod',
  ])
})
