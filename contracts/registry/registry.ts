import { type Address, beginCell, type Cell, type Contract, internal, type MessageRelaxed } from '@ton/core'
import { ContractsError } from '../errors.ts'
import { keyBytes } from './entries.ts'
import { REGISTRY_OP } from './signing.ts'
import { type RegistryParams, registryAddress, registryInit } from './state.ts'
import { uint32 } from './steps.ts'

/**
 * Nanotons to attach for gas, rent and the way back; what is not used returns. Enough for the longest proposal at
 * today's prices sixfold.
 */
export const REGISTRY_ATTACH = 200_000_000n

/** Nanotons that a proposal or a revocation leaves in the registry for rent. The same number stands in registry.tolk. */
export const REGISTRY_RENT = 10_000_000n

/** A proposal with the signatures of its owners, by their numbers. */
export interface SignedProposal {
  number: number
  /** Unix seconds. */
  validUntil: number
  steps: Cell
  signatures: ReadonlyMap<number, Uint8Array>
}

function signatureBytes(signature: Uint8Array): Buffer {
  if (signature.length !== 64) throw new ContractsError('ERR_REGISTRY_SIGNATURE', 'signature: 64 bytes')
  return Buffer.from(signature)
}

function signatureList(signatures: ReadonlyMap<number, Uint8Array>): Cell | null {
  const descending = [...signatures].sort(([a], [b]) => b - a)
  return descending.reduce<Cell | null>(
    (rest, [owner, signature]) =>
      beginCell().storeUint(owner, 8).storeBuffer(signatureBytes(signature)).storeMaybeRef(rest).endCell(),
    null,
  )
}

/**
 * A registry as a `@ton/core` contract: the messages that any wallet may send to it, since what counts are the owners'
 * signatures in them. All of them bounce, so that what is refused comes back.
 */
export class Registry implements Contract {
  readonly address: Address
  readonly init: { code: Cell; data: Cell } | undefined

  /** A registry that is there already, by its pinned address. */
  constructor(address: Address, init?: { code: Cell; data: Cell }) {
    this.address = address
    this.init = init
  }

  /** A registry that is to be, or whose beginnings are known. @throws ContractsError, see {@link registryInit} */
  static fromParams(params: RegistryParams): Registry {
    return new Registry(registryAddress(params), registryInit(params))
  }

  /** Deploys the registry with `value` nanotons for rent. @throws ContractsError ERR_REGISTRY_PARAMS without params */
  deploy(value: bigint): MessageRelaxed {
    if (!this.init) throw new ContractsError('ERR_REGISTRY_PARAMS', 'params: needed in order to deploy')
    const body = beginCell().storeUint(REGISTRY_OP.topUp, 32).endCell()
    return internal({ to: this.address, bounce: true, value, init: this.init, body })
  }

  /** A gift of `value` nanotons for rent. */
  topUp(value: bigint): MessageRelaxed {
    return this.message(value, beginCell().storeUint(REGISTRY_OP.topUp, 32).endCell())
  }

  /** Hands in a proposal. What narrows trust is done with it; what widens it waits. */
  propose(proposal: SignedProposal): MessageRelaxed {
    const body = beginCell()
      .storeUint(REGISTRY_OP.propose, 32)
      .storeUint(uint32(proposal.number, 'number'), 32)
      .storeUint(uint32(proposal.validUntil, 'validUntil'), 32)
      .storeRef(proposal.steps)
      .storeMaybeRef(signatureList(proposal.signatures))
      .endCell()
    return this.message(REGISTRY_ATTACH, body)
  }

  /** Carries out a proposal whose hour has come. */
  execute(number: number): MessageRelaxed {
    const body = beginCell()
      .storeUint(REGISTRY_OP.execute, 32)
      .storeUint(uint32(number, 'number'), 32)
      .endCell()
    return this.message(REGISTRY_ATTACH, body)
  }

  /** Revokes a key (of a table's entry, or of a platform) at once, with one owner's signature. */
  revoke(owner: number, key: string, signature: Uint8Array): MessageRelaxed {
    const body = beginCell()
      .storeUint(REGISTRY_OP.revoke, 32)
      .storeUint(owner, 8)
      .storeBuffer(keyBytes(key))
      .storeBuffer(signatureBytes(signature))
      .endCell()
    return this.message(REGISTRY_ATTACH, body)
  }

  /** Takes a waiting proposal off, with one owner's signature. */
  cancel(owner: number, number: number, signature: Uint8Array): MessageRelaxed {
    const body = beginCell()
      .storeUint(REGISTRY_OP.cancel, 32)
      .storeUint(owner, 8)
      .storeUint(uint32(number, 'number'), 32)
      .storeBuffer(signatureBytes(signature))
      .endCell()
    return this.message(REGISTRY_ATTACH, body)
  }

  private message(value: bigint, body: Cell): MessageRelaxed {
    return internal({ to: this.address, bounce: true, value, body })
  }
}
