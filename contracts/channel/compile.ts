/** `node contracts/channel/compile.ts` compiles channel.tolk afresh and rewrites channel.code.json; the tests compare. */

import { type CompiledContract, compileTolk, writeCode } from '../tolk.ts'

const SOURCE = new URL('channel.tolk', import.meta.url)

/** The channel's code as the pinned compiler makes it now. */
export function compileChannel(): Promise<CompiledContract> {
  return compileTolk(SOURCE)
}

if (import.meta.main) {
  process.stdout.write(`${await writeCode(SOURCE, new URL('channel.code.json', import.meta.url))}\n`)
}
