/**
 * What NVIDIA's attestation service (NRAS) must say of one device for it to count, by claims version. A token says all
 * of this one claim at a time, and a correctly signed token may say the contrary, so every claim is looked at.
 */

import { ChrysalisError } from '../errors.ts'

/** An entity attestation token, or a bundle of them, that is malformed or does not vouch for what it should. */
export class EatError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_EAT', message)
  }
}

/** The payload of one token, verified or not. */
export type TokenClaims = Readonly<Record<string, unknown>>
export type DeviceKind = 'gpu' | 'switch'

/** TokenClaims versions that are understood here; a service that speaks another is refused until it is. */
export const CLAIMS_VERSIONS: readonly string[] = ['2.0', '3.0']

/** What one device's token vouches for. */
export interface AttestedDevice {
  name: string
  kind: DeviceKind
  /** Decimal serial number of the device's leaf certificate, which no two devices share. */
  ueid: string
  hwmodel: string
  /** As the token writes them; a switch has no driver. */
  driver: string | undefined
  /** VBIOS of a GPU, BIOS of a switch; lower-case. */
  vbios: string
  /** The last moment (ms) at which all this holds. */
  validUntil: number
}

const BIOS_OF_SWITCH = 'x-nvidia-switch-bios-version'
const RIMS = { gpu: ['driver-rim', 'vbios-rim'], switch: ['bios-rim'] } as const

/** Names of the claims that must be `true`. */
function requiredTrue(kind: DeviceKind, version: string): string[] {
  const device = `x-nvidia-${kind}`
  const report = `${device}-attestation-report`
  const names = [
    'secboot',
    `${device}-arch-check`,
    `${report}-parsed`,
    `${report}-nonce-match`,
    `${report}-signature-verified`,
    version === '2.0' ? `${report}-cert-chain-validated` : `${report}-cert-chain-fwid-match`,
  ]
  for (const rim of RIMS[kind]) {
    for (const step of ['fetched', 'schema-validated', 'signature-verified', 'measurements-available']) {
      names.push(`${device}-${rim}-${step}`)
    }
    names.push(`${device}-${rim}-${version === '2.0' ? 'cert-validated' : 'version-match'}`)
  }
  if (kind === 'gpu') names.push('x-nvidia-gpu-vbios-index-no-conflict')
  return names
}

/** Names of the claims of version 3.0 that describe a certificate chain. */
function chainClaims(kind: DeviceKind): string[] {
  const device = `x-nvidia-${kind}`
  return [
    `${device}-attestation-report-cert-chain`,
    ...RIMS[kind].map((rim) => `${device}-${rim}-cert-chain`),
  ]
}

/**
 * Judges the claims of one device's token, whose signature, dates and nonce were judged before.
 *
 * @param now milliseconds since 1970
 * @throws EatError that names the first claim that is missing or not as it must be
 */
export function checkDeviceClaims(
  name: string,
  kind: DeviceKind,
  version: string,
  claims: TokenClaims,
  now: number,
): AttestedDevice {
  refuseErrorDetails(name, claims)
  requireClaim(name, claims, 'measres', 'success')
  requireClaim(name, claims, 'dbgstat', 'disabled')
  for (const claim of requiredTrue(kind, version)) requireClaim(name, claims, claim, true)
  const chains = version === '2.0' ? [] : chainClaims(kind)
  const ends = chains.map((claim) => checkChainClaim(name, claim, claims, now))
  // NVIDIA's number (IANA private enterprise); tokens of switches may leave it null.
  if (kind === 'gpu' || claims.oemid !== null) requireClaim(name, claims, 'oemid', '5703')
  const warning = claims['x-nvidia-attestation-warning'] ?? null
  if (warning !== null) throw new EatError(`${name}: the token warns: ${brief(warning)}`)
  const ueid = textClaim(name, claims, 'ueid')
  if (!/^[1-9]\d{0,63}$/.test(ueid)) throw new EatError(`${name}: ueid is not a decimal number`)
  const vbios = textClaim(name, claims, kind === 'gpu' ? 'x-nvidia-gpu-vbios-version' : BIOS_OF_SWITCH)
  return {
    name,
    kind,
    ueid,
    hwmodel: textClaim(name, claims, 'hwmodel'),
    driver: kind === 'gpu' ? textClaim(name, claims, 'x-nvidia-gpu-driver-version') : undefined,
    vbios: vbios.toLowerCase(),
    validUntil: Math.min(...ends),
  }
}

// A device that NRAS refuses has a token of its own, signed like any other, with this instead of results.
function refuseErrorDetails(name: string, claims: TokenClaims): void {
  const details = claims['x-nvidia-error-details'] ?? null
  if (details === null) return
  const { code, message } = (typeof details === 'object' ? details : {}) as TokenClaims
  throw new EatError(`${name}: NRAS refused this device: ${brief(message ?? details)} (${brief(code)})`)
}

/** Returns until when the certificates are in date, ms. */
function checkChainClaim(name: string, claim: string, claims: TokenClaims, now: number): number {
  const chain = claims[claim]
  if (typeof chain !== 'object' || chain === null) throw new EatError(`${name}: ${claim} is missing`)
  const fields = chain as TokenClaims
  const where = `${name}: ${claim}`
  requireClaim(where, fields, 'x-nvidia-cert-status', 'valid')
  requireClaim(where, fields, 'x-nvidia-cert-ocsp-status', 'good')
  if ((fields['x-nvidia-cert-revocation-reason'] ?? null) !== null) {
    throw new EatError(`${where}: a revocation reason is given`)
  }
  const until = Date.parse(textClaim(where, fields, 'x-nvidia-cert-expiration-date'))
  if (!(until >= now)) throw new EatError(`${where}: the certificate has expired, or its date is unreadable`)
  return until
}

/** Throws unless the claim is there with exactly this value. */
export function requireClaim(
  where: string,
  claims: TokenClaims,
  claim: string,
  value: string | boolean,
): void {
  const found = claims[claim]
  if (found === value) return
  const problem = found === undefined ? 'is missing' : `is ${brief(found)}, not ${brief(value)}`
  throw new EatError(`${where}: ${claim} ${problem}`)
}

/** A claim that must be a short text. */
export function textClaim(where: string, claims: TokenClaims, claim: string): string {
  const value = claims[claim]
  if (typeof value !== 'string' || value === '' || value.length > 256) {
    throw new EatError(`${where}: ${claim} is not a text of 1 to 256 characters`)
  }
  return value
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 80)
}
