import { createHash } from 'node:crypto'
import { Address, type Cell, type Transaction, type TupleItem, TupleReader } from '@ton/core'
import { ContractsError } from '../../errors.ts'
import { parseExternal } from '../external.ts'
import { FEE_PARAMETERS, readPrices } from '../price-cells.ts'
import type { FeePrices } from '../prices.ts'
import type { AccountSnapshot, Chain } from '../types.ts'
import { agreed, disagreement, staleness } from './agree.ts'
import { backOff, type Clock, systemClock } from './clock.ts'
import type { ProviderOptions } from './endpoint.ts'
import { chained } from './history.ts'
import type { TonNetwork } from './networks.ts'
import { Provider, type Sighting } from './provider.ts'

export interface ToncenterOptions {
  network: TonNetwork
  /** Two that do not share their machines, or the comparison is worth nothing. */
  providers: readonly [ProviderOptions, ProviderOptions]
  /** For each call, in milliseconds; default 30,000. An attempt under way is let finish. */
  deadlineMs?: number
  /** How far a block's time may be from this machine's, in seconds; default 60. */
  maxSkewSeconds?: number
  /** Injected by tests. */
  clock?: Clock
}

/** A public network, and what only its providers can tell. */
export interface ToncenterChain extends Chain {
  /**
   * An account's transactions, newest first, proven by their hashes to end at the agreed state.
   * @param limit at most so many, 1 to 100; a provider may give fewer
   * @throws ContractsError ERR_CHAIN_HISTORY when no provider gives an unbroken chain
   */
  transactions(address: Address, limit: number): Promise<Transaction[]>
}

/** Small and always there: asked for when only the block's time matters. */
const ZERO_ADDRESS = new Address(0, Buffer.alloc(32))
/** Accepted messages that are remembered, to tell their repetition. */
const MAX_REMEMBERED = 1024

/**
 * Connects to a public TON network through two providers of toncenter's API v2, both of which have to serve `network`.
 * What they do not both say is not believed.
 * @throws ContractsError ERR_CHAIN_CONFIG, ERR_CHAIN_NETWORK when a provider serves another network, and those of
 * every call: ERR_CHAIN_UNREACHABLE, ERR_CHAIN_RATE_LIMITED, ERR_CHAIN_UNAUTHORIZED, ERR_CHAIN_REQUEST,
 * ERR_CHAIN_REPLY, ERR_CHAIN_NOT_FINAL, ERR_CHAIN_STALE, ERR_CHAIN_DISAGREEMENT
 */
export async function connectToncenter(options: ToncenterOptions): Promise<ToncenterChain> {
  const clock = options.clock ?? systemClock
  const [one, other] = options.providers
  const pair = [new Provider(one, clock), new Provider(other, clock)] as const
  if (pair[0].name === pair[1].name) {
    throw new ContractsError('ERR_CHAIN_CONFIG', 'providers: two different hosts expected')
  }
  const chain = new TwoProviders(pair, options, clock)
  await chain.requireNetwork()
  return chain
}

class TwoProviders implements ToncenterChain {
  readonly globalId: number
  private readonly network: TonNetwork
  private readonly pair: readonly [Provider, Provider]
  private readonly clock: Clock
  private readonly deadlineMs: number
  private readonly maxSkewSeconds: number
  private readonly accepted = new Set<string>()
  /** The newest masterchain block that both have known. */
  private floor = 0

  constructor(pair: readonly [Provider, Provider], options: ToncenterOptions, clock: Clock) {
    this.pair = pair
    this.network = options.network
    this.globalId = options.network.globalId
    this.clock = clock
    this.deadlineMs = positive('deadlineMs', options.deadlineMs ?? 30_000)
    this.maxSkewSeconds = positive('maxSkewSeconds', options.maxSkewSeconds ?? 60)
  }

  async requireNetwork(): Promise<void> {
    const deadline = this.deadline()
    const { name, zeroState } = this.network
    const seen = await this.both((provider) => provider.zeroState(deadline))
    for (const [index, { rootHash, fileHash }] of seen.entries()) {
      if (rootHash === zeroState.rootHash && fileHash === zeroState.fileHash) continue
      const message = `${this.pair[index]?.name}: serves another network than ${name}`
      throw new ContractsError('ERR_CHAIN_NETWORK', message)
    }
  }

  /** The earlier of the two blocks' times: both know that this much has passed. */
  async now(): Promise<number> {
    const deadline = this.deadline()
    return this.lookUntil(deadline, async () => {
      const [a, b] = await this.both((provider) => provider.account(ZERO_ADDRESS, deadline))
      const stale = this.stale(a) ?? this.stale(b)
      return stale ? { again: stale } : { value: Math.min(a.time, b.time) }
    })
  }

  async account(address: Address): Promise<AccountSnapshot> {
    return (await this.agree(address, this.deadline())).account
  }

  async get(address: Address, method: string, args: TupleItem[] = []): Promise<TupleReader> {
    const unfit = args.find(({ type }) => !['int', 'cell', 'slice', 'builder'].includes(type))
    if (unfit) throw new ContractsError('ERR_CHAIN_REQUEST', `args: toncenter takes no ${unfit.type}`)
    const deadline = this.deadline()
    const { exitCode, stack } = await this.lookUntil(deadline, async () => {
      const [a, b] = await this.both((provider) => provider.get(address, method, args, deadline))
      if (a.digest === b.digest) return { value: a }
      return { again: disagreement(this.pair[0].name, this.pair[1].name, 'give different results') }
    })
    if (exitCode === 0 || exitCode === 1) return new TupleReader(stack)
    throw new ContractsError('ERR_CHAIN_GET_METHOD', `get method exited with ${exitCode}`)
  }

  /**
   * Hands the message to both: one of them is enough. The same bytes may be sent again and again; a refusal of bytes
   * that were accepted before says only that they have worked already.
   */
  async send(boc: Uint8Array): Promise<void> {
    parseExternal(boc)
    const id = createHash('sha256').update(boc).digest('hex')
    const deadline = this.deadline()
    const results = await Promise.allSettled(this.pair.map((provider) => provider.send(boc, deadline)))
    if (results.some(({ status }) => status === 'fulfilled')) return this.remember(id)
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const refused = (error: unknown) => error instanceof ContractsError && error.code === 'ERR_CHAIN_REJECTED'
    if (errors.some(refused) && this.accepted.has(id)) return
    // Refused by one and lost at the other: the other may have taken it, so that refused is not the last word.
    throw errors.find((error) => !refused(error)) ?? errors[0]
  }

  /** One parameter after the other, each as both have it: a change that only one has seen yet is waited for. */
  async prices(): Promise<FeePrices> {
    const deadline = this.deadline()
    const cells = new Map<number, Cell>()
    for (const parameter of FEE_PARAMETERS) {
      const cell = await this.lookUntil(deadline, async () => {
        const [a, b] = await this.both((provider) => provider.parameter(parameter, deadline))
        if (a.equals(b)) return { value: a }
        return { again: disagreement(this.pair[0].name, this.pair[1].name, 'show different fee parameters') }
      })
      cells.set(parameter, cell)
    }
    return readPrices(cells)
  }

  async transactions(address: Address, limit: number): Promise<Transaction[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
      throw new ContractsError('ERR_CHAIN_REQUEST', 'limit: a whole number from 1 to 100')
    }
    const deadline = this.deadline()
    const { account, lastHash } = await this.agree(address, deadline)
    if (account.lastLt === 0n) return []
    const from = { lt: account.lastLt, hash: lastHash }
    let cause: unknown
    for (const provider of this.pair) {
      try {
        const found = chained(await provider.transactions(address, from, limit, deadline), from)
        if (found) return found.slice(0, limit)
      } catch (error) {
        cause = error
      }
    }
    const message = 'no provider gives an unbroken chain of transactions that ends at the agreed state'
    throw new ContractsError('ERR_CHAIN_HISTORY', message, { cause })
  }

  /** The state that both have shown since the call began. */
  private agree(address: Address, deadline: number): Promise<Sighting> {
    const seen: [Sighting[], Sighting[]] = [[], []]
    return this.lookUntil(deadline, async () => {
      const [a, b] = await this.both((provider) => provider.account(address, deadline))
      const stale = this.stale(a) ?? this.stale(b)
      if (!this.stale(a)) seen[0].push(a)
      if (!this.stale(b)) seen[1].push(b)
      const found = agreed(seen[0], seen[1])
      if (!found)
        return { again: stale ?? disagreement(a.provider, b.provider, 'keep showing different states') }
      this.floor = Math.max(this.floor, found.seqno)
      return { value: found.sighting }
    })
  }

  private stale(sighting: Sighting): ContractsError | undefined {
    return staleness(sighting, this.floor, this.clock.wall(), this.maxSkewSeconds)
  }

  /** Looks until there is a value; at the deadline, `again` says why there is none. */
  private async lookUntil<T>(
    deadline: number,
    look: () => Promise<{ value: T } | { again: ContractsError }>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const result = await look()
      if ('value' in result) return result.value
      const pause = backOff(attempt, this.clock.random())
      if (this.clock.now() + pause > deadline) throw result.again
      await this.clock.sleep(pause)
    }
  }

  private both<T>(ask: (provider: Provider) => Promise<T>): Promise<[T, T]> {
    return Promise.all([ask(this.pair[0]), ask(this.pair[1])])
  }

  private deadline(): number {
    return this.clock.now() + this.deadlineMs
  }

  private remember(id: string): void {
    this.accepted.add(id)
    const [oldest] = this.accepted
    if (this.accepted.size > MAX_REMEMBERED && oldest !== undefined) this.accepted.delete(oldest)
  }
}

function positive(field: string, value: number): number {
  if (value > 0 && value <= 86_400_000) return value
  throw new ContractsError('ERR_CHAIN_CONFIG', `${field}: above 0, at most a day`)
}
