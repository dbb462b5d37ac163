import { type Address, Cell, serializeTuple, type Transaction, type TupleItem } from '@ton/core'
import { TonClient, type TonClientParameters } from '@ton/ton'
import { z } from 'zod'
import { ContractsError } from '../../errors.ts'
import type { AccountSnapshot } from '../types.ts'
import type { Clock } from './clock.ts'
import { Endpoint, type ProviderOptions } from './endpoint.ts'
import type { TonNetwork } from './networks.ts'

/** An account as one provider showed it. */
export interface Sighting {
  /** Host of the provider. */
  provider: string
  account: AccountSnapshot
  /** base64 hash of the account's last transaction; with `account.lastLt` it names the state. */
  lastHash: string
  /** The masterchain block that the state is of. */
  seqno: number
  /** Time of that block, Unix seconds. */
  time: number
}

/** What a get method gave at one provider. */
export interface GetResult {
  exitCode: number
  stack: TupleItem[]
  /** Hash of exit code and stack as one. */
  digest: string
}

/** The answer to getConfigParam, which @ton/ton does not know. */
const configInfo = z.object({ result: z.object({ config: z.object({ bytes: z.base64().min(1) }) }) })

type Adapter = NonNullable<TonClientParameters['httpAdapter']>

/** @ton/ton's client over our own requests, with the one answer that it has but does not hand out. */
class Client extends TonClient {
  async zeroState(): Promise<TonNetwork['zeroState']> {
    const { init } = await this.api.getMasterchainInfo()
    return { rootHash: init.root_hash, fileHash: init.file_hash }
  }
}

/** Hosts' shapes are checked by @ton/ton; what it makes of them becomes ours here. */
export class Provider {
  private readonly endpoint: Endpoint

  /** @throws ContractsError ERR_CHAIN_CONFIG */
  constructor(options: ProviderOptions, clock: Clock) {
    this.endpoint = new Endpoint(options, clock)
  }

  /** Host of the provider, for messages. */
  get name(): string {
    return this.endpoint.name
  }

  /** The zero state of the network that the provider serves. */
  zeroState(deadline: number): Promise<TonNetwork['zeroState']> {
    return this.call(deadline, (client) => client.zeroState())
  }

  /** @throws ContractsError ERR_CHAIN_NOT_FINAL when the state is not that of a masterchain block */
  account(address: Address, deadline: number): Promise<Sighting> {
    return this.call(deadline, async (client) => {
      const state = await client.getContractState(address)
      // What a masterchain block refers to is final; a state from anywhere else may still go away.
      if (state.blockId.workchain !== -1) {
        throw new ContractsError('ERR_CHAIN_NOT_FINAL', `${this.name}: the state is of no masterchain block`)
      }
      const lastLt = BigInt(state.lastTransaction?.lt ?? 0)
      const none = state.state === 'uninitialized' && lastLt === 0n && state.balance === 0n
      return {
        provider: this.name,
        account: {
          state: none ? 'none' : state.state === 'uninitialized' ? 'uninit' : state.state,
          balance: state.balance,
          code: cellOf(state.code),
          data: cellOf(state.data),
          lastLt,
        },
        lastHash: state.lastTransaction?.hash ?? '',
        seqno: state.blockId.seqno,
        time: state.timestampt,
      }
    })
  }

  get(address: Address, method: string, args: TupleItem[], deadline: number): Promise<GetResult> {
    return this.call(deadline, async (client) => {
      const result = await client.runMethodWithError(address, method, args)
      const stack: TupleItem[] = []
      while (result.stack.remaining > 0) stack.push(result.stack.pop())
      const digest = `${result.exit_code}:${serializeTuple(stack).hash().toString('hex')}`
      return { exitCode: result.exit_code, stack, digest }
    })
  }

  /** Up to `limit` transactions from (lt, hash) backwards, as the provider gives them: nothing is checked here. */
  transactions(
    address: Address,
    from: { lt: bigint; hash: string },
    limit: number,
    deadline: number,
  ): Promise<Transaction[]> {
    const options = { limit, lt: from.lt.toString(), hash: from.hash, inclusive: true }
    return this.call(deadline, (client) => client.getTransactions(address, options))
  }

  /** One config parameter, as of the provider's newest block. */
  async parameter(parameter: number, deadline: number): Promise<Cell> {
    const request = { id: '1', jsonrpc: '2.0', method: 'getConfigParam', params: { config_id: parameter } }
    const reply = await this.endpoint.request(JSON.stringify(request), deadline)
    const parsed = configInfo.safeParse(reply)
    try {
      const cell = parsed.success ? cellOf(Buffer.from(parsed.data.result.config.bytes, 'base64')) : null
      if (cell) return cell
    } catch {
      // Said below, without the reply's own words.
    }
    throw this.malformed()
  }

  send(boc: Uint8Array, deadline: number): Promise<void> {
    return this.call(deadline, (client) => client.sendFile(Buffer.from(boc)))
  }

  private async call<T>(deadline: number, work: (client: Client) => Promise<T>): Promise<T> {
    const httpAdapter: Adapter = async (config) => ({
      data: await this.endpoint.request(String(config.data), deadline),
      status: 200,
      statusText: 'OK',
      headers: {},
      config,
    })
    try {
      return await work(new Client({ endpoint: this.endpoint.url, httpAdapter }))
    } catch (error) {
      if (error instanceof ContractsError) throw error
      // @ton/ton's own errors quote the reply, which may hold anything.
      throw this.malformed()
    }
  }

  private malformed(): ContractsError {
    return new ContractsError('ERR_CHAIN_REPLY', `${this.name}: the reply has not the shape of toncenter v2`)
  }
}

function cellOf(boc: Buffer | null): Cell | null {
  if (boc === null) return null
  const [root, second] = Cell.fromBoc(boc)
  if (!root || second) throw new RangeError('one root expected')
  return root
}
