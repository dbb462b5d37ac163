/** The simulated platform: its keys and certificates, made once per installation and kept in one 0600 file. */

import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { fromBase64, toBase64 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { makeCertificate, sgxExtension } from './certificates.ts'

export const NAMES = {
  root: 'Simulated SGX Root CA',
  ca: 'Simulated SGX PCK Platform CA',
  leaf: 'Simulated SGX PCK Certificate',
  tcb: 'Simulated SGX TCB Signing',
} as const

/** Component versions, PCESVN, FMSPC and PCEID of the simulated platform: the shape of a real one, no real values. */
export const PLATFORM = {
  components: Uint8Array.of(3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0),
  pceSvn: 13,
  fmspc: Uint8Array.of(0x51, 0x4d, 0x55, 0x00, 0x00, 0x00),
  pceId: Uint8Array.of(0, 0),
} as const

const ROLES = ['root', 'ca', 'leaf', 'tcb'] as const
export type Role = (typeof ROLES)[number]

export interface Platform {
  keys: Record<Role, KeyObject>
  /** Certificates, DER. */
  certificates: Record<Role, Uint8Array>
}

const YEAR = 365 * 86_400_000
const ROOT_UNTIL = Date.UTC(2049, 11, 31, 23, 59, 59)

/** Makes a platform with fresh keys; certificates are valid from a day before `now` (ms). */
export function makePlatform(now: number): Platform {
  const keys = { root: newKey(), ca: newKey(), leaf: newKey(), tcb: newKey() }
  const notBefore = Math.max(0, now - 86_400_000)
  const issue = (role: Role, by: Role, notAfter: number, more: { caPathLength?: number; sgx?: Uint8Array }) =>
    makeCertificate({
      subject: NAMES[role],
      issuer: NAMES[by],
      subjectKey: keys[role],
      issuerKey: keys[by],
      notBefore,
      notAfter: Math.min(notAfter, ROOT_UNTIL),
      ...more,
    })
  const sgx = sgxExtension({ ...PLATFORM, ppid: new Uint8Array(randomBytes(16)) })
  return {
    keys,
    certificates: {
      root: issue('root', 'root', ROOT_UNTIL, { caPathLength: 1 }),
      ca: issue('ca', 'root', now + 15 * YEAR, { caPathLength: 0 }),
      leaf: issue('leaf', 'ca', now + 7 * YEAR, { sgx }),
      tcb: issue('tcb', 'root', now + 7 * YEAR, {}),
    },
  }
}

/** A fresh P-256 private key. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** The platform as text for its file. */
export function encodePlatform({ keys, certificates }: Platform): string {
  const entries = ROLES.map((role) => [
    role,
    {
      key: keys[role].export({ type: 'pkcs8', format: 'pem' }),
      certificate: toBase64(certificates[role]),
    },
  ])
  return `${JSON.stringify({ format: 'chrysalis/simulated-tee/1', ...Object.fromEntries(entries) }, null, 2)}\n`
}

/** Reads a platform's file. Throws ChrysalisError ERR_SIMULATED_TEE_FILE. */
export function decodePlatform(text: string): Platform {
  try {
    const json = JSON.parse(text) as { format: string } & Record<Role, { key: string; certificate: string }>
    if (json.format !== 'chrysalis/simulated-tee/1') throw new TypeError('format')
    const key = (role: Role): KeyObject => createPrivateKey(json[role].key)
    const certificate = (role: Role): Uint8Array => fromBase64(json[role].certificate)
    return {
      keys: { root: key('root'), ca: key('ca'), leaf: key('leaf'), tcb: key('tcb') },
      certificates: {
        root: certificate('root'),
        ca: certificate('ca'),
        leaf: certificate('leaf'),
        tcb: certificate('tcb'),
      },
    }
  } catch {
    // The parser's own message could quote the file, which holds private keys.
    throw new ChrysalisError(
      'ERR_SIMULATED_TEE_FILE',
      'the file of the simulated TEE cannot be read: delete its folder to make a new one (a new root)',
    )
  }
}
