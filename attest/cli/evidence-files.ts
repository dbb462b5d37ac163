/** Evidence in the forms in which people keep it. */

import { decodeText, textOf } from '../inspect/text.ts'
import { ArgumentError } from './command.ts'
import { readInput } from './files.ts'
import type { Io } from './io.ts'

/** A quote: its bytes, or their hex or base64. A file that is something else gets the flag for it named. */
export async function readQuote(io: Io, path: string): Promise<Uint8Array> {
  const bytes = await readInput(io, '--quote', path)
  const text = textOf(bytes)?.trim()
  if (text === undefined) return bytes
  if (text.startsWith('{')) {
    const bundle = text.includes('chrysalis/evidence/')
    throw new ArgumentError(
      bundle
        ? `--quote ${path}: is an evidence bundle; say --bundle ${path}`
        : `--quote ${path}: is JSON, and a quote is binary, hex or base64; attest inspect says what a file is`,
    )
  }
  return decodeText(text)?.bytes ?? bytes
}

/**
 * JSON evidence as a value. Text that is no JSON is evidence of the wrong form, to be refused and not an argument that
 * cannot be used: undefined.
 */
export async function readJson(io: Io, flag: string, path: string): Promise<unknown> {
  const text = textOf(await readInput(io, flag, path))
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}
