/**
 * What owners sign (layouts in README.md). Each cell names network, registry and the owners' epoch, and a number that
 * is good once: nothing can be used again, elsewhere, or after the owners have changed.
 */

import { type KeyObject, sign } from 'node:crypto'
import { type Address, type Builder, beginCell, type Cell } from '@ton/core'
import { keyBytes } from './entries.ts'
import { uint32 } from './steps.ts'

const PROPOSAL_TAG = 0x43485250
const ACT_TAG = 0x43485241

/** Where a signature is good. */
export interface SigningDomain {
  /** Config parameter 19 of the network. */
  globalId: number
  registry: Address
  /** From the registry's governance. */
  epoch: number
}

export interface ProposalTerms extends SigningDomain {
  /** The registry's next proposal. */
  number: number
  /** Unix seconds: until then it can be handed in. */
  validUntil: number
  /** See `stepsCell`. */
  steps: Cell
}

/** What one owner does alone: revoke a key, or cancel a proposal that waits. */
export type OwnerAct = { kind: 'revoke'; key: string } | { kind: 'cancel'; number: number }

export interface ActTerms extends SigningDomain {
  /** The owner's number, and how often it acted alone so far, from the registry's governance. */
  owner: number
  acts: number
  act: OwnerAct
}

/** Operation codes of the registry's messages. */
export const REGISTRY_OP = {
  topUp: 0x43520001,
  propose: 0x43520002,
  execute: 0x43520003,
  revoke: 0x43520004,
  cancel: 0x43520005,
} as const

function begin(tag: number, domain: SigningDomain): Builder {
  return beginCell()
    .storeUint(tag, 32)
    .storeInt(domain.globalId, 32)
    .storeAddress(domain.registry)
    .storeUint(uint32(domain.epoch, 'epoch'), 32)
}

/** The 32 bytes that an owner signs to propose. */
export function proposalHash(terms: ProposalTerms): Buffer {
  return begin(PROPOSAL_TAG, terms)
    .storeUint(uint32(terms.number, 'number'), 32)
    .storeUint(uint32(terms.validUntil, 'validUntil'), 32)
    .storeRef(terms.steps)
    .endCell()
    .hash()
}

/** The 32 bytes that an owner signs to act alone. */
export function actHash(terms: ActTerms): Buffer {
  const { act } = terms
  const head = begin(ACT_TAG, terms)
    .storeUint(terms.owner, 8)
    .storeUint(uint32(terms.acts, 'acts'), 32)
    .storeUint(REGISTRY_OP[act.kind], 32)
  const tail = act.kind === 'revoke' ? head.storeBuffer(keyBytes(act.key)) : head.storeUint(act.number, 256)
  return tail.endCell().hash()
}

/** @returns 64 bytes. `key` is the owner's private key. */
export function signProposal(key: KeyObject, terms: ProposalTerms): Buffer {
  return sign(null, proposalHash(terms), key)
}

/** @returns 64 bytes. `key` is the owner's private key. */
export function signAct(key: KeyObject, terms: ActTerms): Buffer {
  return sign(null, actHash(terms), key)
}
