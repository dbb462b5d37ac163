/** Helpers for tests that watch over what modules import. */

import { readFileSync } from 'node:fs'

const STATIC = /^(?:import|export)[^']*?from '([^']+)'/gm
const DYNAMIC = /\bimport\('([^']+)'\)/g

/**
 * The packages and Node built-ins that a module reaches through relative imports, sorted.
 *
 * @param later whether what is imported only when it is needed counts too
 */
export function importedPackages(entry: URL, { later }: { later: boolean }): string[] {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const visit = (module: URL): void => {
    if (seen.has(module.href)) return
    seen.add(module.href)
    const text = readFileSync(module, 'utf8')
    const found = [...text.matchAll(STATIC), ...(later ? text.matchAll(DYNAMIC) : [])]
    for (const [, name = ''] of found) {
      if (name.startsWith('.')) visit(new URL(name, module))
      else packages.add(name)
    }
  }
  visit(entry)
  return [...packages].sort()
}
