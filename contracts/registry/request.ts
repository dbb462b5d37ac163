/**
 * What owners are asked to sign, as a file that travels between them: nothing has to be online but who submits it. The
 * steps in it are the ones that people read, and the hash that they sign is made from those steps each time.
 */

import { type KeyObject, sign, verify } from 'node:crypto'
import { Address } from '@ton/core'
import { z } from 'zod'
import { ContractsError } from '../errors.ts'
import { publicKeyObject, rawPublicKey } from '../voucher/keys.ts'
import { parseText, parseWith, stepFromJson, stepsSchema, stepToJson } from './json.ts'
import type { RegistryState } from './reader.ts'
import { actHash, proposalHash, type SigningDomain } from './signing.ts'
import { type Step, stepsCell } from './steps.ts'

export const REQUEST_FORMAT = 'chrysalis/registry-request/1'

/** What is asked. A proposal takes the threshold; the others one owner, by its number, who acted alone `acts` times. */
export type Asked =
  | { kind: 'proposal'; number: number; validUntil: number; steps: readonly Step[] }
  | { kind: 'revoke'; owner: number; acts: number; key: string }
  | { kind: 'cancel'; owner: number; acts: number; number: number }

export interface SigningRequest {
  domain: SigningDomain
  asked: Asked
  /** How the registry was when the request was made. It is not signed: only the chain knows how it is. */
  asOf: { version: number; threshold: number; delaySeconds: number; minSoftware: string }
  /** By public key, hexadecimal. All of them are good signatures of `requestHash`. */
  signatures: ReadonlyMap<string, Buffer>
}

const uint32 = z.int().min(0).max(0xffffffff)
const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `expected ${bytes} bytes of hex`)
const act = { owner: z.int().min(0).max(255), acts: uint32 }

const fileSchema = z.strictObject({
  format: z.literal(REQUEST_FORMAT),
  globalId: z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1),
  registry: z.string().regex(/^0:[0-9a-f]{64}$/, 'expected an address as 0:… with 64 hexadecimal digits'),
  epoch: uint32,
  asked: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('proposal'), number: uint32, validUntil: uint32, steps: stepsSchema }),
    z.strictObject({ kind: z.literal('revoke'), ...act, key: hex(32) }),
    z.strictObject({ kind: z.literal('cancel'), ...act, number: uint32 }),
  ]),
  asOf: z.strictObject({
    version: uint32,
    threshold: uint32,
    delaySeconds: uint32,
    minSoftware: z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}$/),
  }),
  hash: hex(32),
  signatures: z.record(hex(32), hex(64)),
})

function refuse(message: string): never {
  throw new ContractsError('ERR_REGISTRY_REQUEST', message)
}

/** A request that nobody has signed yet, on the registry as it is. */
export function newRequest(
  where: { globalId: number; registry: Address },
  { snapshot, governance }: Pick<RegistryState, 'snapshot' | 'governance'>,
  asked: Asked,
): SigningRequest {
  const { epoch, threshold, delaySeconds } = governance
  const { version, minSoftware } = snapshot
  const asOf = { version, threshold, delaySeconds, minSoftware }
  return { domain: { ...where, epoch }, asked, asOf, signatures: new Map() }
}

/** The 32 bytes that owners sign, made from what the request says. */
export function requestHash({ domain, asked }: SigningRequest): Buffer {
  if (asked.kind === 'proposal') {
    const { number, validUntil, steps } = asked
    return proposalHash({ ...domain, number, validUntil, steps: stepsCell(steps) })
  }
  const { owner, acts, ...act } = asked
  return actHash({ ...domain, owner, acts, act })
}

/** The request with one signature more. `key` is an owner's private key. */
export function signRequest(request: SigningRequest, key: KeyObject): SigningRequest {
  const signature = sign(null, requestHash(request), key)
  const signer = rawPublicKey(key).toString('hex')
  return { ...request, signatures: new Map([...request.signatures, [signer, signature]]) }
}

/** One request with the signatures of all its copies. @throws ContractsError ERR_REGISTRY_REQUEST when they ask different things */
export function mergeRequests([first, ...others]: readonly SigningRequest[]): SigningRequest {
  if (!first) return refuse('request: at least one')
  const hash = requestHash(first)
  if (!others.every((other) => requestHash(other).equals(hash)))
    refuse('request: the files ask different things')
  return { ...first, signatures: new Map([first, ...others].flatMap(({ signatures }) => [...signatures])) }
}

/** The request as the text of a file. */
export function formatRequest(request: SigningRequest): string {
  const { domain, asked, asOf, signatures } = request
  const file: z.input<typeof fileSchema> = {
    format: REQUEST_FORMAT,
    globalId: domain.globalId,
    registry: domain.registry.toRawString(),
    epoch: domain.epoch,
    asked: asked.kind === 'proposal' ? { ...asked, steps: asked.steps.map(stepToJson) } : asked,
    asOf,
    hash: requestHash(request).toString('hex'),
    signatures: Object.fromEntries([...signatures].map(([key, value]) => [key, value.toString('hex')])),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/**
 * Reads a request's file. The hash is made anew from the steps, and each signature has to be good.
 * @throws ContractsError ERR_REGISTRY_REQUEST, ERR_REGISTRY_JSON, ERR_REGISTRY_ENTRY, ERR_REGISTRY_STEP
 */
export function parseRequest(text: string): SigningRequest {
  const { globalId, registry, epoch, asked, asOf, hash, signatures } = parseWith(
    fileSchema,
    parseText(text, 'request'),
    'request',
  )
  const request: SigningRequest = {
    domain: { globalId, registry: Address.parseRaw(registry), epoch },
    asked: asked.kind === 'proposal' ? { ...asked, steps: asked.steps.map(stepFromJson) } : asked,
    asOf,
    signatures: new Map(Object.entries(signatures).map(([key, value]) => [key, Buffer.from(value, 'hex')])),
  }
  const made = requestHash(request)
  if (made.toString('hex') !== hash)
    refuse(
      'hash: is not that of what the request asks; somebody changed the file. Get it anew from its maker',
    )
  for (const [key, signature] of request.signatures) {
    const good = verify(null, made, publicKeyObject(Buffer.from(key, 'hex')), signature)
    if (!good) refuse(`signatures.${key}: not a signature of this request`)
  }
  return request
}
