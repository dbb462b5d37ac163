import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** Every module that `from` reaches through relative imports, and the packages that they name. */
function reach(from: URL, seen = new Set<string>(), packages = new Set<string>()): Set<string> {
  if (seen.has(from.href)) return packages
  seen.add(from.href)
  const text = readFileSync(from, 'utf8')
  const names = [/^(?:import|export)[^']*?from '([^']+)'/gm, /\bimport\('([^']+)'\)/g]
  for (const [, name = ''] of names.flatMap((form) => [...text.matchAll(form)])) {
    if (name.startsWith('.')) reach(new URL(name, from), seen, packages)
    else packages.add(name)
  }
  return packages
}

it('verification needs nothing of Node, so that a browser can do it', () => {
  const packages = [...reach(new URL('./index.ts', import.meta.url))].sort()
  expect(packages).toEqual([
    '@noble/hashes/sha2.js',
    '@scure/base',
    '@xmldom/xmldom',
    'canonicalize',
    'jose',
    'xmldsigjs',
    'zod',
  ])
})
