/** The answer to `GET /v1/attestation`: which enclaves it shows, and what is wrong with it as a whole. */

import { fromBase64, toHex } from '../bytes.ts'
import type { Policy } from '../policy/policy.ts'
import type { Verdict } from './verdict.ts'
import { type VerifyOptions, verifyEvidence } from './verify.ts'

export type Role = 'gateway' | 'worker'

/** A gateway shows 16 at most. */
const MOST_WORKERS = 64

/** One enclave's evidence: whose it is said to be, and what it has to be. */
export interface Shown {
  /** For people. */
  who: string
  role: Role
  /** The name that the answer gives a worker. */
  id?: string
  bundle: unknown
}

/** Something that the gateway says it could not show. */
export interface Lack {
  about: Role
  text: string
}

export interface Answer {
  shown: readonly Shown[]
  lacks: readonly Lack[]
  /** Why this is no answer of that form. */
  faults: readonly string[]
}

/** Reads an answer. Nothing in it is believed. */
export function readAnswer(answer: unknown): Answer {
  const { object, gateway, workers, errors } = (answer ?? {}) as Record<string, unknown>
  if (object !== 'chrysalis.attestation' || !Array.isArray(workers) || !Array.isArray(errors)) {
    return { shown: [], lacks: [], faults: ['the answer is not of the form chrysalis.attestation'] }
  }
  const own = gateway === undefined || gateway === null ? [] : [gateway as unknown]
  const shown = [
    ...own.map((bundle): Shown => ({ who: 'gateway', role: 'gateway', bundle })),
    ...(workers as unknown[]).slice(0, MOST_WORKERS).map(readWorker),
  ]
  const faults = workers.length > MOST_WORKERS ? [`more than ${MOST_WORKERS} workers are shown`] : []
  return { shown, lacks: (errors as unknown[]).slice(0, MOST_WORKERS).map(readLack), faults }
}

function readWorker(worker: unknown): Shown {
  const { id, evidence } = (worker ?? {}) as Record<string, unknown>
  const named = typeof id === 'string' ? { id } : {}
  return { who: `worker ${named.id ?? '?'}`, role: 'worker', ...named, bundle: evidence }
}

function readLack(error: unknown): Lack {
  const { worker, code, message } = (error ?? {}) as Record<string, unknown>
  const named = typeof worker === 'string'
  const who = named ? `worker ${worker}` : 'gateway'
  const text = `${who}: ${typeof message === 'string' ? message : 'no reason given'} (${typeof code === 'string' ? code : 'no code'})`
  return { about: named || code === 'too_many_workers' ? 'worker' : 'gateway', text }
}

/** What was asked for. */
export interface Demand {
  /** What is said to run there. */
  role: Role
  /** Served by every worker. */
  model?: string | undefined
}

/** Evidence with its verdict, or without one where the policy is not about its role. */
export interface Judged extends Shown {
  verdict?: Verdict
}

/**
 * What is wrong although each piece of evidence may be accepted: somebody is missing, stands under another's name or is
 * there twice, or does not serve what was asked for. Only claims that are proven count.
 */
export function faultsOf(judged: readonly Judged[], demand: Demand): string[] {
  return [
    ...missing(judged, demand),
    ...judged.flatMap((one) => faultsAbout(one, judged)),
    ...notServing(judged, demand.model),
  ]
}

/** Those of `faultsOf` that speak against this one of the enclaves, whatever it was asked for. */
export function faultsAbout(one: Judged, judged: readonly Judged[]): string[] {
  return [...wrongName(one), ...twice(one, judged)]
}

/** Judges each piece of an answer under its own role: a worker's evidence must not stand for its gateway. */
export async function judgeShown(shown: readonly Shown[], options: VerifyOptions): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const one of shown) {
    const narrow: Policy = {
      ...options.policy,
      roles: options.policy.roles.filter((name) => name === one.role),
    }
    const wanted = narrow.roles.length > 0
    const verdict = wanted && (await verifyEvidence(one.bundle, { ...options, policy: narrow }))
    judged.push({ ...one, ...(verdict && { verdict }) })
  }
  return judged
}

function missing(judged: readonly Judged[], { role, model }: Demand): string[] {
  const of = (wanted: Role): readonly Judged[] => judged.filter((one) => one.role === wanted)
  const gateways = of('gateway')
  const workers = of('worker')
  if (judged.length === 0) return []
  if (role === 'worker' && (gateways.length > 0 || workers.length !== 1))
    return ['this is no worker of its own: ask a gateway without --role worker']
  if (role === 'gateway' && gateways.length === 0)
    return ['the gateway shows no evidence of its own: whoever answers here may be anybody']
  // What nobody judged may be anything: it is worth no more than none.
  if (role === 'gateway' && gateways.every(({ verdict }) => verdict === undefined))
    return [
      'the policy is not about gateways: whoever answers here may be anybody; add the role to the policy',
    ]
  if (model !== undefined && workers.every(({ verdict }) => verdict === undefined))
    return [`no worker was judged, so nobody is proven to serve ${model}`]
  return []
}

/** A worker goes by its signing key, which is how receipts and requests name it. */
function wrongName({ who, role, id, verdict }: Judged): string[] {
  const key = keyOf(verdict)
  if (role !== 'worker' || key === undefined || key === id) return []
  return [`${who}: its evidence is that of another, ${key}`]
}

/** Another before it in the answer has the same claims or the same key. */
function twice(one: Judged, judged: readonly Judged[]): string[] {
  const names = namesOf(one)
  const before = judged.slice(0, judged.indexOf(one))
  const same = before.findLast((other) => namesOf(other).some((name) => names.includes(name)))
  return same === undefined ? [] : [`${one.who}: its evidence is there already, as ${same.who}`]
}

function namesOf({ verdict }: Judged): string[] {
  if (verdict?.claims === undefined) return []
  return [verdict.claimsDigest, keyOf(verdict)].flatMap((name) => name ?? [])
}

function notServing(judged: readonly Judged[], model: string | undefined): string[] {
  if (model === undefined) return []
  const others = judged.filter(({ role, verdict }) => {
    const models = verdict?.claims?.models
    return role === 'worker' && models !== undefined && !models.some(({ id }) => id === model)
  })
  return others.map(({ who }) => `${who}: its evidence does not name the model ${model}`)
}

function keyOf(verdict: Verdict | undefined): string | undefined {
  return verdict?.claims && toHex(fromBase64(verdict.claims.signingKey))
}
