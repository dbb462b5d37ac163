/** What people save from tools comes in several wrappings. */

import { parseStrictJson } from '../../json.ts'
import { ChrysalisError, fromBase64, fromHex, fromUtf8 } from '../index.ts'

/** A quote as bytes: raw, or as hex or base64 text. */
export function unarmoured(bytes: Uint8Array): Uint8Array {
  if (bytes.some((byte) => byte > 0x7e)) return bytes
  const text = fromUtf8(bytes).trim()
  try {
    return fromHex(text.toLowerCase().replace(/^0x/, ''))
  } catch {}
  try {
    return fromBase64(text)
  } catch {
    return bytes
  }
}

/** Reads a JSON file. Throws ERR_INPUT. */
export function readJson(bytes: Uint8Array, name: string): unknown {
  try {
    return parseStrictJson(bytes)
  } catch {
    throw new ChrysalisError('ERR_INPUT', `The ${name} is not JSON, or has a name twice in one object.`)
  }
}

/** Whether a file is the answer of a gateway's or worker's `/v1/attestation`. */
export function isAnswer(json: unknown): boolean {
  return (
    typeof json === 'object' && json !== null && 'object' in json && json.object === 'chrysalis.attestation'
  )
}
