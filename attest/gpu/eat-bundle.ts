/** The form of a detached EAT bundle, as NVIDIA's attestation service (NRAS) and its tools write it. Nothing is verified. */

import { type DeviceKind, EatError } from './eat-claims.ts'

const MAX_TOKEN = 32 * 1024
const MAX_DEVICES = 64

/** A bundle, taken apart; nothing is verified. */
export interface EatBundle {
  overall: string
  tokens: readonly { name: string; kind: DeviceKind; text: string }[]
}

/** A bundle as evidence carries it, with the keys that the prover put beside it. */
export interface CarriedEat {
  bundle: unknown
  jwks?: unknown
}

/** Whether this JSON is meant as a detached EAT bundle, bare or in the output of NVIDIA's tool. */
export function looksLikeEat(value: unknown): boolean {
  const bundle = bareBundle(value)
  return Array.isArray(bundle) && Array.isArray(bundle[0]) && bundle[0][0] === 'JWT'
}

/** The output of `nvattest` carries the bundle as `detached_eat`. */
function bareBundle(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return (value as Record<string, unknown>).detached_eat
}

/** Takes a bundle apart, strictly: `[["JWT", token], {"GPU-0": token, …}]`. Throws EatError. */
export function parseEat(value: unknown): EatBundle {
  const bundle = bareBundle(value)
  if (!Array.isArray(bundle) || bundle.length !== 2) throw new EatError('EAT: not a bundle of two members')
  const [head, devices] = bundle as unknown[]
  if (!Array.isArray(head) || head.length !== 2 || head[0] !== 'JWT') {
    throw new EatError('EAT: the first member is not ["JWT", token]')
  }
  if (typeof devices !== 'object' || devices === null || Array.isArray(devices)) {
    throw new EatError('EAT: the second member does not name the tokens of the devices')
  }
  const entries = Object.entries(devices)
  if (entries.length === 0 || entries.length > MAX_DEVICES) {
    throw new EatError(`EAT: ${entries.length} devices; 1 to ${MAX_DEVICES} are accepted`)
  }
  return {
    overall: tokenText(head[1], 'the overall token'),
    tokens: entries.map(([name, token]) => ({ name, kind: kindOf(name), text: tokenText(token, name) })),
  }
}

function kindOf(name: string): DeviceKind {
  if (/^GPU-(0|[1-9]\d?)$/.test(name)) return 'gpu'
  if (/^SWITCH-(0|[1-9]\d?)$/.test(name)) return 'switch'
  throw new EatError(`EAT: ${JSON.stringify(name).slice(0, 40)} is not the name of a GPU or a switch`)
}

function tokenText(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.length > MAX_TOKEN || !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(value)) {
    throw new EatError(`EAT: ${what} is not a compact JWS of at most ${MAX_TOKEN} characters`)
  }
  return value
}
