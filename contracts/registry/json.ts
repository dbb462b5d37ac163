/** What owners decide, as JSON: the form in which they write it, and read it before they sign. */

import { Address } from '@ton/core'
import { z } from 'zod'
import { ContractsError } from '../errors.ts'
import {
  type Entry,
  gatewayEntry,
  measurementEntry,
  modelEntry,
  parseGateway,
  parseMeasurement,
  parseModel,
} from './entries.ts'
import type { RegistryParams } from './state.ts'
import type { Step } from './steps.ts'

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `expected ${2 * bytes} lower-case hexadecimal digits`)
const key = hex(32)
const uint32 = z.int().min(0).max(0xffffffff)
const nanotons = z.string().regex(/^(0|[1-9]\d{0,19})$/, 'expected a decimal number of nanotons, as a string')
const register = hex(48).nullable().default(null)
const moment = z.iso
  .datetime('expected a moment as 2027-01-31T12:00:00Z')
  .refine((text) => Date.parse(text) % 1000 === 0, {
    message: 'expected whole seconds',
  })

const measurement = z.strictObject({
  roles: z.array(z.enum(['worker', 'gateway'])).min(1),
  mrTd: hex(48),
  rtmr: z.tuple([register, register, register, register]).default([null, null, null, null]),
  mrConfigId: register,
  mrOwner: register,
  mrOwnerConfig: register,
})
const model = z.strictObject({
  sha256: key,
  id: z.string(),
  /** Nanotons per million tokens. */
  prices: z.strictObject({ prompt: nanotons, cached: nanotons, completion: nanotons, reasoning: nanotons }),
})
/** A gateway is known by its wallet: 0:… or as wallets show it. */
const wallet = z.string().refine(isWallet, 'expected the address of a wallet on the basechain')
const gateway = z.strictObject({ wallet, endpoint: z.string() })

function isWallet(text: string): boolean {
  try {
    return Address.parse(text).workChain === 0
  } catch {
    return false
  }
}

/**
 * The key under which a gateway stands: its wallet's account id.
 * @param wallet its address in any notation
 * @throws ContractsError ERR_REGISTRY_ENTRY
 */
export function gatewayKey(wallet: string): string {
  if (isWallet(wallet)) return Address.parse(wallet).hash.toString('hex')
  throw new ContractsError('ERR_REGISTRY_ENTRY', 'gateway: the address of its wallet on the basechain')
}

const rules = { threshold: z.int(), delaySeconds: z.int() }

const step = z.discriminatedUnion('do', [
  measurement.extend({ do: z.literal('put-measurement') }),
  model.extend({ do: z.literal('put-model') }),
  gateway.extend({ do: z.literal('put-gateway') }),
  z.strictObject({ do: z.literal('remove'), table: z.enum(['measurements', 'models', 'gateways']), key }),
  z.strictObject({ do: z.literal('unrevoke'), key }),
  z.strictObject({ do: z.literal('policy'), policyVersion: uint32, minSoftware: z.string() }),
  z.strictObject({ do: z.literal('owners'), owners: z.array(key), ...rules }),
  z.strictObject({ do: z.literal('renew'), expiresAt: moment }),
  z.strictObject({ do: z.literal('drop'), number: uint32 }),
])

/** A list of steps as JSON. */
export const stepsSchema = z.array(step).min(1).max(16)
export type StepJson = z.infer<typeof step>

const beginning = z.strictObject({
  owners: z.array(key),
  ...rules,
  expiresAt: moment,
  policyVersion: uint32.default(1),
  minSoftware: z.string(),
  measurements: z.array(measurement).default([]),
  models: z.array(model).default([]),
  gateways: z.array(gateway).default([]),
})

/** @throws ContractsError ERR_REGISTRY_JSON that names the field behind `root` */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, root: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = [root, ...(issue?.path ?? [])].join('.')
  throw new ContractsError('ERR_REGISTRY_JSON', `${path}: ${issue?.message ?? 'not valid'}`)
}

/** JSON text, for {@link parseWith}. @throws ContractsError ERR_REGISTRY_JSON */
export function parseText(text: string, root: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ContractsError('ERR_REGISTRY_JSON', `${root}: not JSON`)
  }
}

const seconds = (text: string): number => Date.parse(text) / 1000
const isoOf = (unixSeconds: number): string => new Date(unixSeconds * 1000).toISOString()
const bytes = (text: string): Buffer => Buffer.from(text, 'hex')

function modelOf({ sha256, id, prices }: z.infer<typeof model>): Entry {
  const { prompt, cached, completion, reasoning } = prices
  const amounts = { prompt: BigInt(prompt), cached: BigInt(cached) }
  return modelEntry(sha256, { id, ...amounts, completion: BigInt(completion), reasoning: BigInt(reasoning) })
}

/** A step that somebody wrote. @throws ContractsError ERR_REGISTRY_ENTRY */
export function stepFromJson(json: StepJson): Step {
  switch (json.do) {
    case 'put-measurement':
      return { kind: 'put', entry: measurementEntry(json) }
    case 'put-model':
      return { kind: 'put', entry: modelOf(json) }
    case 'put-gateway':
      return { kind: 'put', entry: gatewayEntry(gatewayKey(json.wallet), json) }
    case 'remove':
      return { kind: 'remove', table: json.table, key: json.key }
    case 'unrevoke':
      return { kind: 'unrevoke', key: json.key }
    case 'policy':
      return { kind: 'policy', policyVersion: json.policyVersion, minSoftware: json.minSoftware }
    case 'owners':
      return { ...json, kind: 'owners', owners: json.owners.map(bytes) }
    case 'renew':
      return { kind: 'renew', expiresAt: seconds(json.expiresAt) }
    case 'drop':
      return { kind: 'drop', number: json.number }
  }
}

function putToJson({ table, key, value }: Entry): StepJson {
  switch (table) {
    case 'measurements': {
      const { roles, rtmr, ...set } = parseMeasurement(key, value)
      return { do: 'put-measurement', ...set, roles: [...roles], rtmr: [...rtmr] }
    }
    case 'models': {
      const { id, ...prices } = parseModel(value)
      const text = { prompt: String(prices.prompt), cached: String(prices.cached) }
      const output = { completion: String(prices.completion), reasoning: String(prices.reasoning) }
      return { do: 'put-model', sha256: key, id, prices: { ...text, ...output } }
    }
    case 'gateways':
      return { do: 'put-gateway', wallet: `0:${key}`, ...parseGateway(value) }
  }
}

/** The other way round. @throws ContractsError ERR_REGISTRY_ENTRY for an entry that says nothing to a reader */
export function stepToJson(step: Step): StepJson {
  switch (step.kind) {
    case 'put':
      return putToJson(step.entry)
    case 'remove':
      return { do: 'remove', table: step.table, key: step.key }
    case 'unrevoke':
      return { do: 'unrevoke', key: step.key }
    case 'policy':
      return { do: 'policy', policyVersion: step.policyVersion, minSoftware: step.minSoftware }
    case 'owners': {
      const owners = step.owners.map((owner) => Buffer.from(owner).toString('hex'))
      return { do: 'owners', owners, threshold: step.threshold, delaySeconds: step.delaySeconds }
    }
    case 'renew':
      return { do: 'renew', expiresAt: isoOf(step.expiresAt) }
    case 'drop':
      return { do: 'drop', number: step.number }
  }
}

/** What a registry is to begin with, as its founders wrote it. @throws ContractsError ERR_REGISTRY_JSON, ERR_REGISTRY_ENTRY */
export function registryParamsFromJson(value: unknown): RegistryParams {
  const json = parseWith(beginning, value, 'registry')
  const { threshold, delaySeconds, policyVersion, minSoftware } = json
  const entries = [
    ...json.measurements.map(measurementEntry),
    ...json.models.map(modelOf),
    ...json.gateways.map((each) => gatewayEntry(gatewayKey(each.wallet), each)),
  ]
  const owners = json.owners.map(bytes)
  return {
    owners,
    threshold,
    delaySeconds,
    expiresAt: seconds(json.expiresAt),
    policyVersion,
    minSoftware,
    entries,
  }
}
