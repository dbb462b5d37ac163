/** Judges what claims say, against the policy and the clock. That the quote binds them is judged apart. */

import { sha256 } from '@noble/hashes/sha2.js'
import { fromBase64, toHex } from '../bytes.ts'
import { canonicalBytes } from '../json.ts'
import type { Factors } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { type Claims, epochId } from './claims.ts'

/** An epoch key lives at most this long, ms. */
export const MAX_EPOCH = 600_000
const DEFAULT_SKEW = 5_000

/** Sets the factors role, epoch, model, software, registry.expected and side channel. `now` in ms. */
export function judgeClaims(factors: Factors, claims: Claims, policy: Policy, now: number): void {
  const role = policy.roles.includes(claims.role)
  factors.expect('role.expected', role, `role ${claims.role}`, `role ${claims.role} is not expected here`)
  const epoch = epochProblem(claims.epoch, now, policy.clockSkewMs ?? DEFAULT_SKEW)
  factors.expect('epoch.valid', epoch === undefined, 'the epoch is current', epoch ?? '')
  judgeModels(factors, claims, policy)
  judgeSoftware(factors, claims, policy)
  judgeRegistry(factors, claims, policy)
  judgeSideChannel(factors, claims)
}

function epochProblem(epoch: Claims['epoch'], now: number, skew: number): string | undefined {
  if (toHex(epochId(fromBase64(epoch.publicKey))) !== epoch.id)
    return 'the epoch id is not the digest of its key'
  if (epoch.notAfter <= epoch.notBefore) return 'the epoch ends before it begins'
  if (epoch.notAfter - epoch.notBefore > MAX_EPOCH) return `the epoch is longer than ${MAX_EPOCH / 1000} s`
  if (now >= epoch.notAfter) return 'the epoch is over: ask for new evidence'
  if (now < epoch.notBefore - skew) return 'the epoch has not begun: compare the clocks'
  return undefined
}

function judgeModels(factors: Factors, { models }: Claims, policy: Policy): void {
  if (models.length === 0) {
    factors.set('model.allowed', 'not-applicable', 'no model is served')
    return
  }
  const allowed = policy.models
  if (allowed === undefined) {
    factors.set('model.allowed', 'skip', 'the policy pins no models')
    return
  }
  const bad = models.find(({ id, sha256 }) => !(Object.hasOwn(allowed, id) && allowed[id]?.includes(sha256)))
  const reason = `model ${JSON.stringify(bad?.id ?? '')} has a digest that the policy does not allow`
  factors.expect('model.allowed', bad === undefined, 'every model digest is allowed', reason)
}

function judgeRegistry(factors: Factors, { registry }: Claims, policy: Policy): void {
  const pinned = policy.registry
  if (pinned === undefined) {
    factors.set('registry.expected', 'skip', 'the policy pins no registry')
    return
  }
  const same = pinned.globalId === registry.globalId && pinned.address === registry.address
  factors.expect('registry.expected', same, 'the expected registry', 'the enclave follows another registry')
}

function judgeSoftware(factors: Factors, { software: { version } }: Claims, { software }: Policy): void {
  if (software === undefined) {
    factors.set('software.allowed', 'skip', 'the policy pins no software version')
    return
  }
  const reason = `software version ${JSON.stringify(version)} is not allowed`
  factors.expect('software.allowed', software.includes(version), 'an allowed software version', reason)
}

function judgeSideChannel(factors: Factors, { models, embedding, accelerators }: Claims): void {
  const name = 'sidechannel.token-access'
  if (models.length === 0) factors.set(name, 'not-applicable', 'no model is served')
  else if (embedding === 'gpu' && accelerators.length === 0)
    factors.set(name, 'fail', 'the embedding table is said to lie on a GPU, and no accelerator is claimed')
  else if (embedding === 'gpu') factors.set(name, 'pass', 'the embedding table lies on the GPU')
  else {
    const reason = 'the embedding table lies in guest memory: page traces of a hostile host can name tokens'
    factors.set(name, 'skip', reason)
  }
}

/** Sets configuration.allowed by what the TD measured; undefined when nothing is proven of it. */
export function judgeConfiguration(factors: Factors, configuration: unknown, policy: Policy): void {
  const name = 'configuration.allowed'
  const { configurations, measurements } = policy
  if (configuration === undefined) factors.set(name, 'skip', 'no configuration is proven')
  else if (configurations !== undefined) {
    const digest = configurationDigest(configuration)
    const allowed = configurations.includes(digest)
    factors.expect(name, allowed, 'an allowed configuration', `configuration ${digest} is not allowed`)
  } else if (measurements?.every(({ rtmr }) => rtmr[3] !== null)) {
    factors.set(name, 'pass', 'RTMR3 is pinned, and holds the configuration')
  } else factors.set(name, 'skip', 'the policy pins no configuration')
}

/** SHA-256 of a configuration as it is measured (RFC 8785), hex. */
export function configurationDigest(configuration: unknown): string {
  return toHex(sha256(canonicalBytes(configuration)))
}
