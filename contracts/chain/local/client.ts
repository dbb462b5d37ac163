import { type Address, Cell, parseTuple, serializeTuple, type TupleItem, TupleReader } from '@ton/core'
import type { z } from 'zod'
import { ContractsError } from '../../errors.ts'
import { readPrices } from '../price-cells.ts'
import type { AccountSnapshot, Chain } from '../types.ts'
import { failure, type Route, replies, type requests } from './protocol.ts'

/** The local chain seen from another process: a {@link Chain} and what only a chain of one's own can do. */
export interface LocalChain extends Chain {
  /** A gift of the faucet, in nanotons. */
  fund(address: Address, amount: bigint): Promise<void>
  /** Moves the chain's clock forward. @returns the new chain time, Unix seconds */
  advanceTime(seconds: number): Promise<number>
  /** Where the supply is, in nanotons; `total` equals `genesis`. */
  audit(): Promise<{ genesis: bigint; total: bigint; faucet: bigint; burned: bigint }>
}

const MAX_REPLY_BYTES = 4 * 1024 * 1024

class Connection {
  private readonly url: string
  private readonly token: string
  private readonly timeoutMs: number

  constructor(url: string, token: string, timeoutMs: number) {
    this.url = url
    this.token = token
    this.timeoutMs = timeoutMs
  }

  async call<R extends Route>(
    route: R,
    body: z.input<(typeof requests)[R]>,
  ): Promise<z.output<(typeof replies)[R]>> {
    const { status, text } = await this.post(route, JSON.stringify(body))
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw new ContractsError('ERR_CHAIN_REPLY', `local chain ${route}: the reply is not JSON`, { cause })
    }
    if (status !== 200) {
      const parsed = failure.safeParse(value)
      if (parsed.success) throw new ContractsError(parsed.data.error.code, parsed.data.error.message)
      throw new ContractsError('ERR_CHAIN_REPLY', `local chain ${route}: status ${status}`)
    }
    const parsed = replies[route].safeParse(value)
    if (!parsed.success) throw new ContractsError('ERR_CHAIN_REPLY', `local chain ${route}: unexpected reply`)
    return parsed.data as z.output<(typeof replies)[R]>
  }

  private async post(route: string, body: string): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`${this.url}${route}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(this.timeoutMs),
      })
      const text = await response.text()
      if (text.length > MAX_REPLY_BYTES) throw new Error('reply too large')
      return { status: response.status, text }
    } catch (cause) {
      throw new ContractsError('ERR_CHAIN_UNREACHABLE', `the local chain does not answer at ${this.url}`, {
        cause,
      })
    }
  }
}

function cellOf(boc: string | null): Cell | null {
  return boc === null ? null : Cell.fromBase64(boc)
}

function snapshot(reply: z.output<(typeof replies)['/account']>): AccountSnapshot {
  return {
    state: reply.state,
    balance: BigInt(reply.balance),
    code: cellOf(reply.code),
    data: cellOf(reply.data),
    lastLt: BigInt(reply.lastLt),
  }
}

/**
 * Connects to a running local chain (contracts/chain/local/main.ts).
 * @param options.timeoutMs for each call; default 30,000
 * @throws ContractsError ERR_CHAIN_UNREACHABLE, ERR_CHAIN_UNAUTHORIZED
 */
export async function connectLocalChain(options: {
  url: string
  token: string
  timeoutMs?: number
}): Promise<LocalChain> {
  const connection = new Connection(options.url, options.token, options.timeoutMs ?? 30_000)
  const { globalId } = await connection.call('/info', {})
  return {
    globalId,
    instant: true,
    now: async () => (await connection.call('/info', {})).now,
    account: async (address) =>
      snapshot(await connection.call('/account', { address: address.toRawString() })),
    send: async (boc) => {
      await connection.call('/send', { boc: Buffer.from(boc).toString('base64') })
    },
    get: async (address: Address, method: string, args: TupleItem[] = []) => {
      const stack = serializeTuple(args).toBoc().toString('base64')
      const reply = await connection.call('/get', { address: address.toRawString(), method, args: stack })
      return new TupleReader(parseTuple(Cell.fromBase64(reply.stack)))
    },
    prices: async () => {
      const { parameters } = await connection.call('/prices', {})
      return readPrices(new Map(parameters.map(([parameter, boc]) => [parameter, Cell.fromBase64(boc)])))
    },
    fund: async (address, amount) => {
      await connection.call('/fund', { address: address.toRawString(), amount: amount.toString() })
    },
    advanceTime: async (seconds) => (await connection.call('/advance', { seconds })).now,
    audit: async () => {
      const reply = await connection.call('/audit', {})
      return {
        genesis: BigInt(reply.genesis),
        total: BigInt(reply.total),
        faucet: BigInt(reply.faucet),
        burned: BigInt(reply.burned),
      }
    },
  }
}
