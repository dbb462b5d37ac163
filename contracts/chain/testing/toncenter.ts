import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Address } from '@ton/core'
import { ContractsError } from '../../errors.ts'
import type { TonNetwork } from '../toncenter/networks.ts'
import type { FakeClock } from './clock.ts'
import { FAKE_NETWORK, type FakeNetwork } from './network.ts'
import {
  addressInformation,
  configInfo,
  masterchainInfo,
  parseArguments,
  runResult,
  transactionEntry,
} from './shapes.ts'

/** One way of not answering as one should. */
export type Fault =
  /** This status and text instead of an answer. */
  | { kind: 'status'; status: number; retryAfter?: string; location?: string; text?: string }
  /** No answer ever; the client's time-out comes. */
  | { kind: 'hang' }
  /** The work is done, but only half of the answer is sent. */
  | { kind: 'truncate' }
  /** The work is done, then the connection breaks. */
  | { kind: 'cut' }

export interface FakeRequest {
  method: string
  apiKey: string | undefined
  /** Unix milliseconds of the injected clock. */
  at: number
}

type Params = Record<string, unknown>

interface Answer {
  status: number
  body: unknown
}

/**
 * A provider of toncenter's API v2 on a socket of the loopback interface, with the JSON of the real one (what @ton/ton
 * calls of it), that misbehaves as told.
 */
export class FakeToncenter {
  /** Requests so far, refused ones too. */
  readonly requests: FakeRequest[] = []
  /** The next requests' faults, one each; undefined is a good answer. */
  readonly faults: (Fault | undefined)[] = []
  /** The fault of every request once {@link faults} is used up. */
  always: Fault | undefined
  /** How many blocks its node is behind. */
  lag = 0
  /** Changes what it says: `result` is about to be sent. */
  lie: ((method: string, result: unknown) => unknown) | undefined
  network: TonNetwork = FAKE_NETWORK
  /** Requests a second that it grants, by the injected clock. */
  rate: number | undefined
  private readonly chain: FakeNetwork
  private readonly clock: FakeClock
  private readonly server: Server

  private constructor(chain: FakeNetwork, clock: FakeClock) {
    this.chain = chain
    this.clock = clock
    this.server = createServer((request, response) => {
      this.serve(request, response).catch((error: unknown) => response.destroy(error as Error))
    })
  }

  static async start(chain: FakeNetwork, clock: FakeClock): Promise<FakeToncenter> {
    const fake = new FakeToncenter(chain, clock)
    await new Promise<void>((resolve) => fake.server.listen(0, '127.0.0.1', resolve))
    return fake
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/api/v2/jsonRPC`
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const call = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { method: string; params: Params }
    const apiKey = request.headers['x-api-key']
    const seen = { method: call.method, apiKey: apiKey?.toString(), at: this.clock.now() }
    const last = this.requests.at(-1)
    this.requests.push(seen)
    const tooFast = this.rate !== undefined && last !== undefined && seen.at - last.at < 1000 / this.rate
    const fault: Fault | undefined = tooFast
      ? TOO_MANY
      : this.faults.length > 0
        ? this.faults.shift()
        : this.always
    if (fault?.kind === 'hang') return this.clock.expire()
    if (fault?.kind === 'status') return refuse(response, fault)
    const { status, body } = await this.answer(call.method, call.params)
    if (fault?.kind === 'cut') return void response.destroy()
    const text = JSON.stringify({ ...(body as object), jsonrpc: '2.0', id: '1' })
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(fault?.kind === 'truncate' ? text.slice(0, text.length / 2) : text)
  }

  private async answer(method: string, params: Params): Promise<Answer> {
    try {
      const result = await this.result(method, params)
      return { status: 200, body: { ok: true, result: this.lie?.(method, result) ?? result } }
    } catch (error) {
      if (!(error instanceof ContractsError)) throw error
      const exit = /exit code (-?\d+)/.exec(error.message)?.[1]
      const where =
        exit === undefined
          ? `account ${'0'.repeat(64)} before smart-contract execution`
          : `transaction ${'0'.repeat(64)}:\nexitcode=${exit}, steps=49, gas_used=0\n`
      const reason = `External message was not accepted\nCannot run message on account: inbound external message rejected by ${where}`
      const text = `LITE_SERVER_UNKNOWN: cannot apply external message to current state : ${reason}`
      return { status: 500, body: { ok: false, error: text, code: 500 } }
    }
  }

  private async result(method: string, params: Params): Promise<unknown> {
    const block = this.chain.block(this.lag)
    if (method === 'getMasterchainInfo') return masterchainInfo(block, this.network.zeroState)
    if (method === 'sendBoc') {
      await this.chain.submit(Buffer.from(String(params.boc), 'base64'))
      return { '@type': 'ok', '@extra': `${block.time}.5:3:0.0217` }
    }
    if (method === 'getConfigParam') return configInfo(this.chain.prices, Number(params.config_id))
    const address = Address.parse(String(params.address))
    if (method === 'getAddressInformation') return addressInformation(block, address)
    if (method === 'runGetMethod') return this.run(address, String(params.method), params.stack)
    if (method === 'getTransactions') return this.history(address, params)
    throw new Error(`the fake has no ${method}`)
  }

  private async run(address: Address, method: string, stack: unknown): Promise<unknown> {
    const block = this.chain.block(this.lag)
    try {
      const reader = await (await this.chain.at(block)).get(
        address,
        method,
        parseArguments(stack),
        block.time,
      )
      const items = []
      while (reader.remaining > 0) items.push(reader.pop())
      return runResult(block, 0, items)
    } catch (error) {
      if (!(error instanceof ContractsError)) throw error
      return runResult(block, Number(/exited with (-?\d+)/.exec(error.message)?.[1] ?? -13), [])
    }
  }

  private history(address: Address, params: Params): unknown[] {
    const from = BigInt(String(params.lt))
    const known = this.chain.transactions.get(address.toRawString()) ?? []
    const wanted = known.filter(({ lt }) => lt <= from).reverse()
    return wanted.slice(0, Number(params.limit)).map((entry) => transactionEntry(address, entry))
  }
}

const TOO_MANY: Fault = { kind: 'status', status: 429 }

const TEXTS: Record<number, string> = {
  401: '{"ok":false,"result":"API key does not exist","code":401}',
  429: '{"ok":false,"result":"Ratelimit exceed","code":429}',
  500: '{"ok":false,"error":"LITE_SERVER_NOTREADY: no nodes","code":500,"jsonrpc":"2.0","id":"1"}',
  502: '<html><body><center><h1>502 Bad Gateway</h1></center></body></html>',
}

function refuse(response: ServerResponse, fault: Fault & { kind: 'status' }): void {
  response.setHeader('content-type', 'application/json')
  if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter)
  if (fault.location !== undefined) response.setHeader('location', fault.location)
  response.writeHead(fault.status)
  response.end(fault.text ?? TEXTS[fault.status] ?? '')
}
