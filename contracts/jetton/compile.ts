/**
 * `node contracts/jetton/compile.ts` compiles the jetton channel, and the jetton that the tests use, afresh and
 * rewrites the committed code; the tests compare.
 */

import { writeCode } from '../tolk.ts'

/** Source and committed code of each contract of this folder. */
export const CONTRACTS = ['jetton-channel', 'testing/wallet', 'testing/master'].map((name) => ({
  name,
  source: new URL(`${name}.tolk`, import.meta.url),
  code: new URL(`${name}.code.json`, import.meta.url),
}))

if (import.meta.main) {
  for (const { name, source, code } of CONTRACTS) {
    process.stdout.write(`${name} ${await writeCode(source, code)}\n`)
  }
}
