/**
 * Compiles our contracts with the pinned compiler and writes what they became beside their source. Only for
 * development: @ton/tolk-js is not needed to run Chrysalis.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { runTolkCompiler } from '@ton/tolk-js'
import { ContractsError } from './errors.ts'

export interface CompiledContract {
  /** Name and version of the compiler. */
  compiler: string
  /** Representation hash of the code, lower-case hexadecimal. */
  hash: string
  /** Base64 BoC. */
  code: string
}

/** @param source the contract's main file; its imports are found relative to it */
export async function compileTolk(source: URL): Promise<CompiledContract> {
  const result = await runTolkCompiler({
    entrypointFileName: source.pathname.split('/').at(-1) ?? '',
    fsReadCallback: (path) => readFileSync(new URL(path, source), 'utf8'),
    optimizationLevel: 2,
  })
  if (result.status === 'error') throw new ContractsError('ERR_CONTRACT_CODE', result.message)
  return {
    compiler: `tolk ${result.tolkVersion}`,
    hash: result.codeHashHex.toLowerCase(),
    code: result.codeBoc64,
  }
}

/** Compiles `source` and writes `target`. @returns the code's hash */
export async function writeCode(source: URL, target: URL): Promise<string> {
  const compiled = await compileTolk(source)
  writeFileSync(target, `${JSON.stringify(compiled, null, 2)}\n`)
  return compiled.hash
}
