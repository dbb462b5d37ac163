/** The simulated platform: its keys and certificates, made once per installation and kept in one 0600 file. */

import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { type CertificateSpec, makeCertificate, type SgxSpec, sgxExtension } from './certificates.ts'
import { decodeKeys, encodeKeys } from './key-file.ts'

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

const FORMAT = 'chrysalis/simulated-tee/1'
const ROLES = ['root', 'ca', 'leaf', 'tcb'] as const
export type Role = (typeof ROLES)[number]

export interface Platform {
  keys: Record<Role, KeyObject>
  /** Certificates, DER. */
  certificates: Record<Role, Uint8Array>
}

const DAY = 86_400_000
const YEAR = 365 * DAY
const ROOT_UNTIL = Date.UTC(2049, 11, 31, 23, 59, 59)

const ISSUER: Record<Role, Role> = { root: 'root', ca: 'root', leaf: 'ca', tcb: 'root' }
const YEARS: Record<Role, number> = { root: 100, ca: 15, leaf: 7, tcb: 7 }
const PATH_LENGTH: Partial<Record<Role, number>> = { root: 1, ca: 0 }

/** What a test may change about one certificate; the SGX extension is the platform's unless it is given. */
export type CertificateChanges = Partial<Omit<CertificateSpec, 'sgx'> & { sgx: Partial<SgxSpec> }>

/** Makes a platform with fresh keys; certificates are valid from a day before `now` (ms). */
export function makePlatform(now: number, changes: Partial<Record<Role, CertificateChanges>> = {}): Platform {
  const keys = { root: newKey(), ca: newKey(), leaf: newKey(), tcb: newKey() }
  const ppid = new Uint8Array(randomBytes(16))
  const issue = (role: Role): Uint8Array => makeRole(role, { keys, ppid, now }, changes[role] ?? {})
  return {
    keys,
    certificates: { root: issue('root'), ca: issue('ca'), leaf: issue('leaf'), tcb: issue('tcb') },
  }
}

function makeRole(
  role: Role,
  { keys, ppid, now }: { keys: Platform['keys']; ppid: Uint8Array; now: number },
  { sgx, ...changes }: CertificateChanges,
): Uint8Array {
  const length = PATH_LENGTH[role]
  return makeCertificate({
    subject: NAMES[role],
    issuer: NAMES[ISSUER[role]],
    subjectKey: keys[role],
    issuerKey: keys[ISSUER[role]],
    notBefore: Math.max(0, now - DAY),
    notAfter: Math.min(now + YEARS[role] * YEAR, ROOT_UNTIL),
    ...(length === undefined ? {} : { caPathLength: length }),
    ...(role === 'leaf' ? { sgx: sgxExtension({ ...PLATFORM, ppid, ...sgx }) } : {}),
    ...changes,
  })
}

/** A fresh P-256 private key. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** The platform as text for its file. */
export function encodePlatform({ keys, certificates }: Platform): string {
  return encodeKeys(FORMAT, ROLES, (role) => ({ key: keys[role], certificate: certificates[role] }))
}

/** Reads a platform's file. Throws ChrysalisError ERR_SIMULATED_TEE_FILE. */
export function decodePlatform(text: string): Platform {
  const problem =
    'the file of the simulated TEE cannot be read: delete its folder to make a new one (a new root)'
  const { root, ca, leaf, tcb } = decodeKeys(text, FORMAT, ROLES, problem)
  return {
    keys: { root: root.key, ca: ca.key, leaf: leaf.key, tcb: tcb.key },
    certificates: {
      root: root.certificate,
      ca: ca.certificate,
      leaf: leaf.certificate,
      tcb: tcb.certificate,
    },
  }
}
