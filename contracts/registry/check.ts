/** What the contract would refuse, said before anything is sent; and whether what was sent came about. */

import type { Cell } from '@ton/core'
import { ContractsError } from '../errors.ts'
import type { TableName } from './entries.ts'
import type { RegistryExitName } from './exits.ts'
import type { RegistryState } from './reader.ts'
import type { Asked, SigningRequest } from './request.ts'
import { GRACE_SECONDS, MAX_VALIDITY_SECONDS, type Step, stepsCell } from './steps.ts'
import { moment, widens } from './words.ts'

/** The contract holds to the same. */
const MAX_PENDING = 16
const MAX_ACTS = 1024
const MAX_ENTRIES = 2048

type Proposal = Extract<Asked, { kind: 'proposal' }>
type Act = Exclude<Asked, { kind: 'proposal' }>

function refuse(name: RegistryExitName, message: string): never {
  throw new ContractsError(`ERR_REGISTRY_${name}`, message)
}

/**
 * Checks a request, but for its signatures, against the registry as it is at `now` (Unix seconds).
 * @throws ContractsError ERR_REGISTRY_EPOCH, and by the name of the contract's exit
 */
export function requireAskable({ domain, asked }: SigningRequest, state: RegistryState, now: number): void {
  const { epoch } = state.governance
  if (domain.epoch !== epoch) {
    const message = `epoch: the owners have changed since (${domain.epoch}, now ${epoch}); make the request anew`
    throw new ContractsError('ERR_REGISTRY_EPOCH', message)
  }
  if (state.snapshot.version === 1 && now >= state.snapshot.expiresAt) {
    refuse(
      'STILLBORN',
      'registry: it expired before its first change, and takes none any more; deploy another',
    )
  }
  if (asked.kind === 'proposal') requireProposal(asked, state, now)
  else requireAct(asked, state)
}

/** @throws ContractsError ERR_REGISTRY_UNKNOWN_OWNER, ERR_REGISTRY_TOO_FEW_SIGNATURES */
export function requireSigned({ asked, signatures }: SigningRequest, { governance }: RegistryState): void {
  const numbers = ownerNumbers(governance)
  for (const key of signatures.keys()) {
    if (!numbers.has(key)) refuse('UNKNOWN_OWNER', `signatures.${key}: not an owner of this registry`)
  }
  const needed = asked.kind === 'proposal' ? governance.threshold : 1
  const found =
    asked.kind === 'proposal'
      ? signatures.size
      : [...signatures.keys()].filter((key) => numbers.get(key) === asked.owner).length
  if (found >= needed) return
  const by = asked.kind === 'proposal' ? '' : ` of owner ${asked.owner}`
  refuse('TOO_FEW_SIGNATURES', `signatures: ${found} of the ${needed}${by} that it takes`)
}

/** Owners' numbers by their public keys, hexadecimal. */
export function ownerNumbers({ owners }: RegistryState['governance']): Map<string, number> {
  return new Map([...owners].map(([number, { key }]) => [key.toString('hex'), number]))
}

function requireProposal({ number, validUntil, steps }: Proposal, state: RegistryState, now: number): void {
  const { governance, snapshot } = state
  if (number !== governance.proposals) {
    refuse(
      'WRONG_NUMBER',
      `number: the next proposal is ${governance.proposals}, not ${number}; make it anew`,
    )
  }
  if (now > validUntil) refuse('SIGNATURES_EXPIRED', `validUntil: was ${moment(validUntil)}; make it anew`)
  if (steps.length > 1 && steps.some(({ kind }) => kind === 'owners')) {
    refuse('NOT_ALONE', 'steps: new owners are a proposal of their own')
  }
  if (!steps.some((step) => widens(step, snapshot.minSoftware))) {
    requirePossible(steps, state, now)
  } else if (governance.pending.size >= MAX_PENDING) {
    refuse('TOO_MANY_PENDING', `${MAX_PENDING} proposals wait already; drop or cancel one`)
  }
}

/**
 * Checks that proposal `number` can be carried out at `now`.
 * @throws ContractsError by the name of the contract's exit
 */
export function requireExecutable(number: number, state: RegistryState, now: number): void {
  const proposal =
    state.governance.pending.get(number) ?? refuse('NO_PROPOSAL', `number: no proposal ${number} waits`)
  const { notBefore, proposedAt, steps } = proposal
  if (now < notBefore) refuse('TOO_EARLY', `proposal ${number}: waits until ${moment(notBefore)}`)
  if (now > notBefore + GRACE_SECONDS) {
    refuse(
      'LAPSED',
      `proposal ${number}: its time ended ${moment(notBefore + GRACE_SECONDS)}; propose it anew`,
    )
  }
  requirePossible(steps, state, now, proposedAt)
}

/** A registry as its steps leave it, one after another. */
interface Trial {
  now: number
  proposedAt: number
  policyVersion: number
  expiresAt: number
  entries: number
  tables: Record<TableName, Set<string>>
  revoked: Map<string, number>
  pending: Set<number>
}

function requirePossible(steps: readonly Step[], state: RegistryState, now: number, proposedAt = now): void {
  const { snapshot, governance } = state
  const { policyVersion, expiresAt, tables } = snapshot
  const trial: Trial = {
    ...{ now, proposedAt, policyVersion, expiresAt, entries: governance.entries },
    tables: {
      measurements: new Set(tables.measurements.keys()),
      models: new Set(tables.models.keys()),
      gateways: new Set(tables.gateways.keys()),
    },
    revoked: new Map(snapshot.revoked),
    pending: new Set(governance.pending.keys()),
  }
  for (const step of steps) tryStep(step, trial)
}

function tryStep(step: Step, trial: Trial): void {
  switch (step.kind) {
    case 'put': {
      const table = trial.tables[step.entry.table]
      if (!table.has(step.entry.key)) trial.entries += 1
      table.add(step.entry.key)
      if (trial.entries > MAX_ENTRIES)
        refuse('FULL', `put: ${MAX_ENTRIES} entries are there; remove some first`)
      return
    }
    case 'remove':
      if (!trial.tables[step.table].delete(step.key)) {
        refuse('NO_ENTRY', `remove: ${step.key} is not among the ${step.table}`)
      }
      trial.entries -= 1
      return
    case 'unrevoke': {
      const at = trial.revoked.get(step.key) ?? refuse('NO_ENTRY', `unrevoke: ${step.key} is not revoked`)
      if (at >= trial.proposedAt)
        refuse('REVOKED_SINCE', 'unrevoke: revoked after the proposal; propose it anew')
      trial.revoked.delete(step.key)
      return
    }
    case 'policy':
      if (step.policyVersion <= trial.policyVersion) {
        refuse('POLICY_BACK', `policyVersion: has to be above ${trial.policyVersion}`)
      }
      trial.policyVersion = step.policyVersion
      return
    case 'renew':
      if (step.expiresAt <= trial.expiresAt) {
        refuse('BAD_EXPIRY', `expiresAt: has to be after ${moment(trial.expiresAt)}`)
      }
      if (step.expiresAt > trial.now + MAX_VALIDITY_SECONDS)
        refuse('BAD_EXPIRY', 'expiresAt: at most 90 days ahead')
      trial.expiresAt = step.expiresAt
      return
    case 'drop':
      if (!trial.pending.delete(step.number)) refuse('NO_PROPOSAL', `drop: no proposal ${step.number} waits`)
      return
    case 'owners':
  }
}

function requireAct(asked: Act, { governance, snapshot }: RegistryState): void {
  const owner =
    governance.owners.get(asked.owner) ?? refuse('UNKNOWN_OWNER', `owner: there is no ${asked.owner}`)
  if (asked.acts !== owner.acts) {
    refuse(
      'BAD_SIGNATURE',
      `acts: this owner acted alone ${owner.acts} times, not ${asked.acts}; make the request anew`,
    )
  }
  if (owner.acts >= MAX_ACTS) refuse('OUT_OF_ACTS', `owner ${asked.owner}: acted alone ${MAX_ACTS} times`)
  if (asked.kind === 'revoke') {
    if (snapshot.revoked.has(asked.key)) refuse('ALREADY_REVOKED', `key: ${asked.key} is revoked`)
    return
  }
  const waiting = governance.pending.get(asked.number)
  if (!waiting) refuse('NO_PROPOSAL', `number: no proposal ${asked.number} waits`)
  if (waiting.setsOwners) refuse('PROTECTED', 'a change of owners: one owner alone cannot cancel it')
}

/** Whether the registry shows what the request asked: done, or (what widens) waiting. */
export function shows({ asked }: SigningRequest, state: RegistryState): boolean {
  const { snapshot, governance } = state
  if (asked.kind === 'revoke') return snapshot.revoked.has(asked.key)
  if (asked.kind === 'cancel') return !governance.pending.has(asked.number)
  if (governance.proposals <= asked.number) return false
  const waiting = governance.pending.get(asked.number)
  if (waiting) return stepsCell(waiting.steps).equals(stepsCell(asked.steps))
  return carriedOut(asked.steps, state)
}

/** Whether the registry shows what these steps bring about. */
export function carriedOut(steps: readonly Step[], state: RegistryState): boolean {
  // Of several steps about one thing the last one counts.
  const last = new Map(steps.map((step) => [subjectOf(step), step]))
  return [...last.values()].every((step) => showsStep(step, state))
}

function showsStep(step: Step, { snapshot, governance }: RegistryState): boolean {
  switch (step.kind) {
    case 'put':
      return same(snapshot.tables[step.entry.table].get(step.entry.key), step.entry.value)
    case 'remove':
      return !snapshot.tables[step.table].has(step.key)
    case 'unrevoke':
      return !snapshot.revoked.has(step.key)
    case 'policy':
      return snapshot.policyVersion === step.policyVersion && snapshot.minSoftware === step.minSoftware
    case 'owners': {
      const numbers = ownerNumbers(governance)
      return step.owners.every((key) => numbers.has(Buffer.from(key).toString('hex')))
    }
    case 'renew':
      return snapshot.expiresAt === step.expiresAt
    case 'drop':
      return !governance.pending.has(step.number)
  }
}

const same = (found: Cell | undefined, wanted: Cell): boolean => found?.equals(wanted) ?? false

function subjectOf(step: Step): string {
  switch (step.kind) {
    case 'put':
      return `${step.entry.table} ${step.entry.key}`
    case 'remove':
      return `${step.table} ${step.key}`
    case 'unrevoke':
      return `revoked ${step.key}`
    case 'drop':
      return `pending ${step.number}`
    case 'policy':
    case 'owners':
    case 'renew':
      return step.kind
  }
}
