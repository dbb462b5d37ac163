/** Digests of what the simulation makes up. */

import { createHash } from 'node:crypto'

/** Hash of text or bytes. */
export function digest(algorithm: 'sha256' | 'sha384', data: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash(algorithm).update(data).digest())
}
