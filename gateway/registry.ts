/** The registry that this gateway follows, as its parts use it. */

import type { Logger } from 'pino'
import { codeOf } from '../attest/cli/process.ts'
import type { RegistryView } from '../attest/policy/index.ts'
import { type Chain, ContractsError, openRegistry, type RegistryFollower } from '../contracts/index.ts'
import { type ApiError, type Prices, type Quote, unavailable } from '../worker/protocol/index.ts'
import type { GatewayConfig } from './config.ts'
import type { RegistryRules } from './link/index.ts'
import { within } from './quotes.ts'

const FREE: Prices = { prompt: '0', cached: '0', completion: '0', reasoning: '0' }

/** What the registry says, and who hears when it says something else. */
export class FollowedRegistry implements RegistryRules {
  /** Called when it says something else, or nothing any more. */
  onChange: () => void = () => {}
  #follower: RegistryFollower | undefined

  /** Undefined where the settings name none. @throws ContractsError see openRegistry */
  static async open(config: GatewayConfig, chain: Chain, log: Logger): Promise<FollowedRegistry | undefined> {
    const registry = new FollowedRegistry()
    registry.#follower = await openRegistry(config, chain, {
      folder: config.data,
      onChange: () => registry.onChange(),
      onWarning: (message, error) => log.warn({ code: codeOf(error) }, message),
    })
    return registry.#follower && registry
  }

  /** Which one; the address raw. */
  get name(): { globalId: number; address: string } {
    return this.#following().name
  }

  /** @throws ContractsError while nothing that was read of it can be relied on */
  view(): RegistryView {
    return this.#following().view()
  }

  /** The most that clients may be asked for these weights, nanotons per million tokens. */
  most(sha256: string): Prices {
    const model = this.#following().require().models.get(sha256)
    // Nobody is let in with weights that are not there; should they go in this very moment, nobody pays for them.
    if (!model) return FREE
    const { prompt, cached, completion, reasoning } = model
    return {
      prompt: String(prompt),
      cached: String(cached),
      completion: String(completion),
      reasoning: String(reasoning),
    }
  }

  /** Whether a quote asks clients for no more than the registry lets it, now. */
  permits({ model, client }: Quote): boolean {
    return within(client, this.most(model.sha256))
  }

  /** Why no request can be served; undefined while the registry can be relied on. */
  get outage(): ApiError | undefined {
    try {
      this.view()
      return undefined
    } catch (error) {
      if (!(error instanceof ContractsError)) throw error
      const why = 'The registry that says which workers are trusted cannot be relied on'
      const message = `${why} (${error.code}). Nothing was sent or charged. Try again later.`
      return unavailable(message, 'registry_unavailable', 30)
    }
  }

  /** Whether workers that follow the same registry serve a gateway of this wallet (raw address). */
  lists(wallet: string): boolean {
    try {
      return this.view().gateways.includes(wallet.split(':')[1] ?? '')
    } catch {
      return false
    }
  }

  close(): void {
    this.#follower?.close()
  }

  #following(): RegistryFollower {
    if (!this.#follower) throw new TypeError('no registry is followed')
    return this.#follower
  }
}
