import type { MessageRelaxed } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { effect } from '../channel/verbs.ts'
import { ContractsError } from '../errors.ts'
import type { WaitOptions } from '../wallet/wait.ts'
import type { MessageSender } from '../wallet/wallet.ts'
import { carriedOut, ownerNumbers, requireAskable, requireExecutable, requireSigned, shows } from './check.ts'
import { type RegistryState, readRegistry } from './reader.ts'
import type { Registry } from './registry.ts'
import type { SigningRequest } from './request.ts'
import type { RegistryParams } from './state.ts'
import { MAX_VALIDITY_SECONDS, stepsCell } from './steps.ts'

/**
 * The owners' verbs. Each looks at the registry first and says what the contract would refuse, sends, and believes
 * nothing until it has read the effect back. Any wallet pays: what counts are the owners' signatures.
 */
export class RegistryClient {
  readonly registry: Registry
  readonly #chain: Chain
  readonly #wait: WaitOptions

  constructor(options: { chain: Chain; registry: Registry } & WaitOptions) {
    this.registry = options.registry
    this.#chain = options.chain
    this.#wait = options.pause ? { pause: options.pause } : {}
  }

  /** See {@link readRegistry}. */
  state(): Promise<RegistryState> {
    return readRegistry(this.#chain, this.registry.address)
  }

  /**
   * Deploys the registry of these parameters with `rent` nanotons; done once, it does nothing more.
   * @throws ContractsError ERR_REGISTRY_PARAMS for an expiry that is past or more than 90 days ahead
   */
  async deploy(wallet: MessageSender, params: RegistryParams, rent: bigint): Promise<RegistryState> {
    const there = await this.#look()
    if (there) return there
    const now = await this.#chain.now()
    if (params.expiresAt <= now || params.expiresAt > now + MAX_VALIDITY_SECONDS) {
      throw new ContractsError('ERR_REGISTRY_PARAMS', 'expiresAt: after now, and at most 90 days ahead')
    }
    return await this.#present(wallet, this.registry.deploy(rent), () => true)
  }

  /** Adds `amount` nanotons for rent. Not to be repeated without a look. */
  async topUp(wallet: MessageSender, amount: bigint): Promise<RegistryState> {
    const { balance } = await this.state()
    return await this.#present(wallet, this.registry.topUp(amount), (state) => state.balance > balance)
  }

  /**
   * Hands in what owners have signed. What widens trust then waits; the rest is done.
   * @throws ContractsError ERR_REGISTRY_NETWORK, ERR_REGISTRY_EPOCH, by the name of the contract's exit, and
   * ERR_REGISTRY_UNCONFIRMED
   */
  async submit(wallet: MessageSender, request: SigningRequest): Promise<RegistryState> {
    const state = await this.state()
    this.requireHere(request)
    requireAskable(request, state, await this.#chain.now())
    requireSigned(request, state)
    return await this.#present(wallet, this.#message(request, state), (after) => shows(request, after))
  }

  /** Carries out a proposal whose hour has come. @throws ContractsError as {@link submit} */
  async execute(wallet: MessageSender, number: number): Promise<RegistryState> {
    const before = await this.state()
    requireExecutable(number, before, await this.#chain.now())
    const steps = before.governance.pending.get(number)?.steps ?? []
    return await this.#present(
      wallet,
      this.registry.execute(number),
      (after) => !after.governance.pending.has(number) && carriedOut(steps, after),
    )
  }

  /** @throws ContractsError ERR_REGISTRY_NETWORK for a request of another network or registry */
  requireHere({ domain }: SigningRequest): void {
    const { globalId } = this.#chain
    if (domain.globalId !== globalId) {
      const message = `globalId: the request is for network ${domain.globalId}, the chain is ${globalId}`
      throw new ContractsError('ERR_REGISTRY_NETWORK', message)
    }
    if (!domain.registry.equals(this.registry.address)) {
      throw new ContractsError('ERR_REGISTRY_NETWORK', 'registry: the request is for another one')
    }
  }

  #message(request: SigningRequest, { governance }: RegistryState): MessageRelaxed {
    const { asked, signatures } = request
    const numbers = ownerNumbers(governance)
    const byNumber = new Map([...signatures].map(([key, value]) => [numbers.get(key) ?? -1, value]))
    if (asked.kind === 'proposal') {
      const { number, validUntil } = asked
      return this.registry.propose({
        number,
        validUntil,
        steps: stepsCell(asked.steps),
        signatures: byNumber,
      })
    }
    const signature = byNumber.get(asked.owner) ?? Buffer.alloc(0)
    if (asked.kind === 'revoke') return this.registry.revoke(asked.owner, asked.key, signature)
    return this.registry.cancel(asked.owner, asked.number, signature)
  }

  async #look(): Promise<RegistryState | undefined> {
    try {
      return await this.state()
    } catch (error) {
      if (error instanceof ContractsError && error.code === 'ERR_REGISTRY_ABSENT') return undefined
      throw error
    }
  }

  async #present(
    wallet: MessageSender,
    message: MessageRelaxed,
    done: (state: RegistryState) => boolean,
  ): Promise<RegistryState> {
    const doing = {
      chain: this.#chain,
      wait: this.#wait,
      look: () => this.#look(),
      subject: 'registry',
    } as const
    const state = await effect(doing, wallet, message, (seen) => seen !== undefined && done(seen))
    if (!state) throw new ContractsError('ERR_REGISTRY_ABSENT', 'registry: nothing lives at its address')
    return state
  }
}
