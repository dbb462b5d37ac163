/**
 * Detached EAT bundles of NVIDIA's attestation service (NRAS): one overall token that names the digests of one token
 * per device. NRAS signs refusals as well as passes, and signs any old evidence with its old nonce, so a valid
 * signature alone shows nothing.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { toHex, utf8 } from '../bytes.ts'
import { type Factors, failureReason } from '../policy/factors.ts'
import { type CarriedEat, type EatBundle, parseEat } from './eat-bundle.ts'
import {
  type AttestedDevice,
  CLAIMS_VERSIONS,
  checkDeviceClaims,
  type DeviceKind,
  EatError,
  requireClaim,
  type TokenClaims,
  textClaim,
} from './eat-claims.ts'
import { type CarriedKeys, NRAS_ISSUER, readToken } from './eat-token.ts'
import { versionAllowed } from './versions.ts'

export { type CarriedEat, type EatBundle, looksLikeEat, parseEat } from './eat-bundle.ts'
export { type AttestedDevice, EatError } from './eat-claims.ts'
export { fetchServiceKeys, NRAS_KEYS_URL } from './eat-keys.ts'
export { NRAS_ISSUER } from './eat-token.ts'

/** What a policy may demand of tokens. Every field has a strict default. */
export interface EatPolicy {
  /** Whether evidence without a token fails; without this it is a skip, which the policy may forgive by name. */
  required?: boolean | undefined
  /** Accepted `iss`, exactly; NRAS_ISSUER by default. */
  issuer?: string | undefined
  /** SHA-256 (hex) of intermediate CAs that certify signing keys. Keys that come with the evidence need one. */
  intermediates?: readonly string[] | undefined
}

/** The part of a GPU policy that concerns tokens. */
export interface EatPolicies {
  /** Absent: nobody asks for tokens; one that comes is judged by the defaults. */
  eat?: EatPolicy | undefined
  /** Accepted driver and VBIOS versions: exact, or a prefix ending in `*`; all when absent. */
  drivers?: readonly string[] | undefined
  vbios?: readonly string[] | undefined
}

/** A device whose report was verified here; LS10 is a switch, every other architecture a GPU. */
export interface ExpectedDevice {
  arch: string
  /** Decimal serial number of the leaf certificate. */
  ueid?: string | undefined
  driver?: string | undefined
  vbios?: string | undefined
}

export interface EatInput {
  /** GPUs and switches may come in bundles of their own. */
  eats: readonly CarriedEat[]
  /** Keys that the verifier has from the service itself; they go before any that the evidence brings. */
  jwks?: unknown
  /** The nonce (32 bytes) that was derived for this evidence. */
  nonce?: Uint8Array | undefined
  /** The devices that there must be tokens for, one each, with what their own reports say. */
  devices?: readonly ExpectedDevice[] | undefined
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Sets gpu.eat: every bundle is genuine, current, positive in every claim, for this nonce and for exactly these devices.
 * Without a token it fails where the policy requires one, is a skip where the policy says whose tokens it takes, and
 * does not apply where the policy says nothing of tokens. Without a nonce to compare it is a skip.
 *
 * @returns the last moment (ms) at which the tokens hold; undefined when none was found good
 */
export async function judgeEat(
  factors: Factors,
  input: EatInput,
  policy: EatPolicies = {},
): Promise<number | undefined> {
  if (input.eats.length === 0) {
    judgeNoToken(factors, policy.eat)
    return undefined
  }
  try {
    const devices = await verifyEats(input, policy)
    const names = devices.map(({ name, hwmodel }) => `${name} ${hwmodel}`).join(', ')
    if (input.nonce === undefined) {
      factors.set('gpu.eat', 'skip', `genuine NRAS tokens (${names}), but there is no nonce to compare`)
    } else {
      factors.set('gpu.eat', 'pass', `NRAS vouches for ${names} under this nonce`)
    }
    return Math.min(...devices.map(({ validUntil }) => validUntil))
  } catch (error) {
    factors.set('gpu.eat', 'fail', failureReason(error))
    return undefined
  }
}

function judgeNoToken(factors: Factors, eat: EatPolicy | undefined): void {
  const none = 'there is no NRAS token'
  if (eat === undefined) factors.set('gpu.eat', 'not-applicable', `${none}, and the policy asks for none`)
  else if (eat.required === true)
    factors.set('gpu.eat', 'fail', `${none}: the policy requires one from the prover`)
  else factors.set('gpu.eat', 'skip', `${none}, and the policy asks for one`)
}

/** As judgeEat, but throws EatError or X509Error, and returns what the tokens say of each device. */
export async function verifyEats(input: EatInput, policy: EatPolicies = {}): Promise<AttestedDevice[]> {
  const attested: AttestedDevice[] = []
  for (const eat of input.eats) attested.push(...(await verifyOne(eat, input, policy.eat ?? {})))
  requireDistinct(
    attested.map(({ name }) => name),
    'two tokens are named',
  )
  requireDistinct(
    attested.map(({ ueid }) => ueid),
    'two tokens are about one device, ueid',
  )
  if (input.devices !== undefined) requireSameDevices(attested, input.devices)
  for (const device of attested) {
    requireVersion(device.name, 'driver', device.driver, policy.drivers)
    if (device.kind === 'gpu') requireVersion(device.name, 'VBIOS', device.vbios, policy.vbios)
  }
  return attested
}

async function verifyOne(eat: CarriedEat, input: EatInput, policy: EatPolicy): Promise<AttestedDevice[]> {
  const { overall, tokens } = parseEat(eat.bundle)
  const keys: CarriedKeys = {
    trusted: input.jwks,
    carried: eat.jwks,
    intermediates: policy.intermediates ?? [],
  }
  const issuer = policy.issuer ?? NRAS_ISSUER
  const read = (what: string, text: string) => readToken(what, text, keys, issuer, input.now)
  const { claims, until } = await read('overall token', overall)
  requireClaim('overall token', claims, 'sub', 'NVIDIA-PLATFORM-ATTESTATION')
  const version = textClaim('overall token', claims, 'x-nvidia-ver')
  if (!CLAIMS_VERSIONS.includes(version)) throw new EatError('overall token: x-nvidia-ver is unknown here')
  checkDigests(claims.submods, tokens)
  const devices: { name: string; kind: DeviceKind; claims: TokenClaims; until: number }[] = []
  for (const { name, kind, text } of tokens) devices.push({ name, kind, ...(await read(name, text)) })
  // A device's own token says why it was refused, which the overall result does not: so they go first.
  const attested = devices.map(({ name, kind, claims: of, until: end }) => {
    const device = checkDeviceClaims(name, kind, version, of, input.now)
    checkNonce(name, of, input.nonce ?? nonceOf(claims))
    return { ...device, validUntil: Math.min(device.validUntil, end, until) }
  })
  requireClaim('overall token', claims, 'x-nvidia-overall-att-result', true)
  checkNonce('overall token', claims, input.nonce ?? nonceOf(claims))
  return attested
}

/** submods must name every token and nothing else, each as ["DIGEST", ["SHA-256", hex of its text's digest]]. */
function checkDigests(submods: unknown, tokens: EatBundle['tokens']): void {
  if (typeof submods !== 'object' || submods === null || Array.isArray(submods)) {
    throw new EatError('overall token: submods is missing')
  }
  const named = submods as Record<string, unknown>
  if (Object.keys(named).length !== tokens.length) {
    throw new EatError(`overall token: ${Object.keys(named).length} submods for ${tokens.length} tokens`)
  }
  for (const { name, text } of tokens) {
    if (!Object.hasOwn(named, name)) throw new EatError(`overall token: submods does not name ${name}`)
    const expected = JSON.stringify(['DIGEST', ['SHA-256', toHex(sha256(utf8(text)))]])
    if (JSON.stringify(named[name]) !== expected) {
      throw new EatError(`overall token: the digest of ${name} is not that of its token`)
    }
  }
}

function nonceOf(claims: TokenClaims): Uint8Array | string {
  return textClaim('overall token', claims, 'eat_nonce')
}

function checkNonce(what: string, claims: TokenClaims, expected: Uint8Array | string): void {
  const wanted = typeof expected === 'string' ? expected : toHex(expected)
  if (textClaim(what, claims, 'eat_nonce').toLowerCase() !== wanted.toLowerCase()) {
    throw new EatError(`${what}: eat_nonce is another than was asked for`)
  }
}

function requireDistinct(values: readonly string[], problem: string): void {
  const seen = new Set<string>()
  for (const value of values) {
    if (seen.has(value)) throw new EatError(`EAT: ${problem} ${value}`)
    seen.add(value)
  }
}

function requireSameDevices(attested: readonly AttestedDevice[], devices: readonly ExpectedDevice[]): void {
  for (const kind of ['gpu', 'switch'] as const) {
    const tokens = attested.filter((device) => device.kind === kind)
    const expected = devices.filter(({ arch }) => (arch === 'LS10') === (kind === 'switch'))
    if (tokens.length !== expected.length) {
      throw new EatError(`EAT: ${tokens.length} tokens of kind ${kind} for ${expected.length} devices`)
    }
    for (const device of expected) requireToken(device, tokens)
  }
}

function requireToken(device: ExpectedDevice, tokens: readonly AttestedDevice[]): void {
  if (device.ueid === undefined) return
  const token = tokens.find(({ ueid }) => ueid === device.ueid)
  if (token === undefined) throw new EatError(`EAT: no token is about the device with ueid ${device.ueid}`)
  const same = (ours: string | undefined, theirs: string | undefined): boolean =>
    ours === undefined || theirs === undefined || ours.toLowerCase() === theirs.toLowerCase()
  if (!same(device.driver, token.driver)) throw new EatError(`${token.name}: driver is not the report's`)
  // What NRAS calls a switch's BIOS version is another field than the VBIOS version of its report.
  if (token.kind === 'gpu' && !same(device.vbios, token.vbios)) {
    throw new EatError(`${token.name}: VBIOS is not the report's`)
  }
}

function requireVersion(
  name: string,
  what: string,
  version: string | undefined,
  accepted: readonly string[] | undefined,
): void {
  if (version === undefined || accepted === undefined) return
  if (!versionAllowed(version, accepted)) {
    throw new EatError(`${name}: ${what} ${version.slice(0, 40)} is not one that the policy accepts`)
  }
}
