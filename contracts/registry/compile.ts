/** `node contracts/registry/compile.ts` compiles the registry afresh and rewrites the committed code; the tests compare. */

import { writeCode } from '../tolk.ts'

export const REGISTRY_SOURCE = new URL('registry.tolk', import.meta.url)

if (import.meta.main) {
  const hash = await writeCode(REGISTRY_SOURCE, new URL('registry.code.json', import.meta.url))
  process.stdout.write(`${hash}\n`)
}
