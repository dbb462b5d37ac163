/**
 * Compiles channel.tolk. `node contracts/channel/compile.ts` rewrites channel.code.json; the tests compare. Only for
 * development: @ton/tolk-js is not needed to run Chrysalis.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { runTolkCompiler } from '@ton/tolk-js'
import { ContractsError } from '../errors.ts'

const CODE_FILE = new URL('channel.code.json', import.meta.url)

export interface CompiledChannel {
  compiler: string
  hash: string
  code: string
}

/** @returns code (base64 BoC), its hash (hexadecimal) and the compiler's version */
export async function compileChannel(): Promise<CompiledChannel> {
  const result = await runTolkCompiler({
    entrypointFileName: 'channel.tolk',
    fsReadCallback: (path) => readFileSync(new URL(path, import.meta.url), 'utf8'),
    optimizationLevel: 2,
  })
  if (result.status === 'error') throw new ContractsError('ERR_CHANNEL_CODE', result.message)
  return {
    compiler: `tolk ${result.tolkVersion}`,
    hash: result.codeHashHex.toLowerCase(),
    code: result.codeBoc64,
  }
}

if (import.meta.main) {
  const compiled = await compileChannel()
  writeFileSync(CODE_FILE, `${JSON.stringify(compiled, null, 2)}\n`)
  process.stdout.write(`${compiled.hash}\n`)
}
