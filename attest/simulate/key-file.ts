/** The text of the one file that holds an installation's keys: by role, a private key and the certificate to it. */

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { fromBase64, toBase64 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'

interface CertifiedKey {
  key: KeyObject
  certificate: Uint8Array
}

/** Writes the keys, in this order. */
export function encodeKeys<Role extends string>(
  format: string,
  roles: readonly Role[],
  keyOf: (role: Role) => CertifiedKey,
): string {
  const entries = roles.map((role) => {
    const { key, certificate } = keyOf(role)
    const pem = key.export({ type: 'pkcs8', format: 'pem' })
    return [role, { key: pem, certificate: toBase64(certificate) }]
  })
  return `${JSON.stringify({ format, ...Object.fromEntries(entries) }, null, 2)}\n`
}

/**
 * Reads what encodeKeys wrote.
 *
 * @param problem what the error says: what cannot be read, and what to do
 * @throws ChrysalisError ERR_SIMULATED_TEE_FILE
 */
export function decodeKeys<Role extends string>(
  text: string,
  format: string,
  roles: readonly Role[],
  problem: string,
): Record<Role, CertifiedKey> {
  try {
    const json = JSON.parse(text) as { format: string } & Record<Role, { key: string; certificate: string }>
    if (json.format !== format) throw new TypeError('format')
    const entries = roles.map((role) => {
      const { key, certificate } = json[role]
      return [role, { key: createPrivateKey(key), certificate: fromBase64(certificate) }]
    })
    return Object.fromEntries(entries) as Record<Role, CertifiedKey>
  } catch {
    // The parser's own message could quote the file, which holds private keys.
    throw new ChrysalisError('ERR_SIMULATED_TEE_FILE', problem)
  }
}
