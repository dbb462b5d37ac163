/** Entity attestation tokens as NVIDIA's attestation service signs them, under a simulated service's keys. */

import { createPublicKey, type KeyObject } from 'node:crypto'
import { toBase64, toBase64Url, toHex, utf8 } from '../bytes.ts'
import { digest } from './digest.ts'
import { type GpuCa, makeGpuCa, makeGpuCertificate, newGpuKey, signRaw } from './gpu-certificates.ts'

/** `iss` of simulated tokens: no verifier takes it for NVIDIA's. */
export const SIMULATED_EAT_ISSUER = 'https://simulated.invalid'

export const SERVICE_NAMES = {
  intermediate: 'Simulated NVIDIA Attestation Service GPU Intermediate',
  leaf: 'Simulated NVIDIA Attestation Service Signer',
} as const

type Json = Record<string, unknown>

/** A key of the service, with the certificates that a JWKS shows for it. */
export interface ServiceSigner {
  kid: string
  key: KeyObject
  jwks: { keys: Json[] }
}

/** Makes the intermediate CA of the service. */
export function makeServiceCa(now: number): GpuCa {
  return makeGpuCa({ commonName: SERVICE_NAMES.intermediate }, now)
}

/** Makes a signing key whose certificate is valid for 48 hours from an hour before `now`. */
export function makeServiceSigner(ca: GpuCa, now: number): ServiceSigner {
  const key = newGpuKey()
  const leaf = makeGpuCertificate({
    subject: { commonName: SERVICE_NAMES.leaf },
    issuer: { commonName: SERVICE_NAMES.intermediate },
    subjectKey: key,
    issuerKey: ca.key,
    notBefore: Math.max(0, now - 3_600_000),
    notAfter: now + 47 * 3_600_000,
    ca: false,
  })
  const kid = `simulated-eat-kid-${toHex(digest('sha256', leaf)).slice(0, 16)}`
  const { x, y } = createPublicKey(key).export({ format: 'jwk' })
  const x5c = [leaf, ca.certificate].map(toBase64)
  return {
    kid,
    key,
    jwks: { keys: [{ kty: 'EC', crv: 'P-384', use: 'sig', alg: 'ES384', kid, x, y, x5c }] },
  }
}

/** What a token says of one device. */
interface EatDevice {
  kind: 'gpu' | 'switch'
  /** Decimal serial number of the leaf certificate. */
  ueid: string
  hwmodel: string
  driver?: string
  vbios: string
}

export interface EatSpec {
  devices: readonly EatDevice[]
  /** 32 */ nonce: Uint8Array
  /** Claims version. */
  version?: '2.0' | '3.0'
  /** Milliseconds since 1970. */
  now: number
}

/** The claims of a bundle before they are signed, for tests that change them. */
export interface EatClaims {
  overall: Json
  devices: { name: string; claims: Json }[]
}

/** Claims of a bundle that passes. */
export function eatClaims({ devices, nonce, version = '3.0', now }: EatSpec): EatClaims {
  const iat = Math.floor(now / 1000)
  const shared = { iss: SIMULATED_EAT_ISSUER, eat_nonce: toHex(nonce), iat, nbf: iat, exp: iat + 3600 }
  const counts = { gpu: 0, switch: 0 }
  return {
    overall: {
      ...shared,
      sub: 'NVIDIA-PLATFORM-ATTESTATION',
      'x-nvidia-ver': version,
      'x-nvidia-overall-att-result': true,
    },
    devices: devices.map((device) => ({
      name: `${device.kind === 'gpu' ? 'GPU' : 'SWITCH'}-${counts[device.kind]++}`,
      claims: { ...shared, ...deviceClaims(device, version) },
    })),
  }
}

function deviceClaims(device: EatDevice, version: '2.0' | '3.0'): Json {
  const { kind } = device
  const prefix = `x-nvidia-${kind}`
  const report = `${prefix}-attestation-report`
  const old = version === '2.0'
  const claims: Json = {
    measres: 'success',
    secboot: true,
    dbgstat: 'disabled',
    hwmodel: device.hwmodel,
    ueid: device.ueid,
    oemid: kind === 'gpu' ? '5703' : null,
    'x-nvidia-attestation-warning': null,
    [`${prefix}-arch-check`]: true,
    [`${report}-parsed`]: true,
    [`${report}-nonce-match`]: true,
    [`${report}-signature-verified`]: true,
    [`${report}-cert-chain${old ? '-validated' : ''}`]: old ? true : GOOD_CHAIN,
  }
  if (!old) claims[`${report}-cert-chain-fwid-match`] = true
  for (const rim of kind === 'gpu' ? ['driver-rim', 'vbios-rim'] : ['bios-rim']) {
    for (const step of ['fetched', 'schema-validated', 'signature-verified', 'measurements-available']) {
      claims[`${prefix}-${rim}-${step}`] = true
    }
    claims[`${prefix}-${rim}-${old ? 'cert-validated' : 'version-match'}`] = true
    if (!old) claims[`${prefix}-${rim}-cert-chain`] = GOOD_CHAIN
  }
  if (kind === 'switch') return { ...claims, 'x-nvidia-switch-bios-version': device.vbios.toUpperCase() }
  return {
    ...claims,
    'x-nvidia-gpu-vbios-index-no-conflict': true,
    'x-nvidia-gpu-driver-version': device.driver,
    'x-nvidia-gpu-vbios-version': device.vbios.toUpperCase(),
  }
}

const GOOD_CHAIN = {
  'x-nvidia-cert-status': 'valid',
  'x-nvidia-cert-ocsp-status': 'good',
  'x-nvidia-cert-expiration-date': '9999-12-31T23:59:59Z',
  'x-nvidia-cert-revocation-reason': null,
}

/** Signs a bundle: every device's claims, then the overall ones with the digests of those tokens. */
export function signEat(claims: EatClaims, signer: ServiceSigner): [['JWT', string], Record<string, string>] {
  const tokens = claims.devices.map(({ name, claims: of }) => [name, signToken(of, signer)] as const)
  const submods = Object.fromEntries(
    tokens.map(([name, token]) => [name, ['DIGEST', ['SHA-256', toHex(digest('sha256', utf8(token)))]]]),
  )
  return [['JWT', signToken({ submods, ...claims.overall }, signer)], Object.fromEntries(tokens)]
}

/** One compact JWS, ES384. */
function signToken(claims: Json, { kid, key }: Pick<ServiceSigner, 'kid' | 'key'>): string {
  return signCompact({ kid, alg: 'ES384' }, JSON.stringify(claims), key)
}

/** Signs any header and any payload, right or wrong. */
export function signCompact(header: Json, payload: string, key: KeyObject): string {
  const signed = `${toBase64Url(utf8(JSON.stringify(header)))}.${toBase64Url(utf8(payload))}`
  return `${signed}.${toBase64Url(signRaw(utf8(signed), key))}`
}
