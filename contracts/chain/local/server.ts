import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Address, Cell, parseTuple, serializeTuple, type TupleItem } from '@ton/core'
import type { z } from 'zod'
import { ContractsError } from '../../errors.ts'
import { priceParameters } from '../price-cells.ts'
import { takeChainLock } from './lock.ts'
import { LocalNode } from './node.ts'
import { MAX_REQUEST_BYTES, type Route, type replies, requests } from './protocol.ts'

export interface LocalChainServer {
  /** http://127.0.0.1:port */
  url: string
  node: LocalNode
  /** Stops listening and waits for changes under way. */
  close(): Promise<void>
}

type Reply<R extends Route> = z.input<(typeof replies)[R]>
type Handlers = { [R in Route]: (body: z.infer<(typeof requests)[R]>) => Promise<Reply<R>> | Reply<R> }

const STATUS: Record<string, number> = {
  ERR_CHAIN_UNAUTHORIZED: 401,
  ERR_CHAIN_ROUTE: 404,
  ERR_CHAIN_TOO_LARGE: 413,
  ERR_CHAIN_INTERNAL: 500,
  ERR_CHAIN_REJECTED: 422,
  ERR_CHAIN_GET_METHOD: 422,
}

function bocOf(cell: Cell | null): string | null {
  return cell === null ? null : cell.toBoc().toString('base64')
}

function tupleItems(boc: string): TupleItem[] {
  try {
    return parseTuple(Cell.fromBase64(boc))
  } catch (cause) {
    throw new ContractsError('ERR_CHAIN_REQUEST', 'args: not a serialized stack', { cause })
  }
}

function stackBoc(reader: { remaining: number; pop(): TupleItem }): string {
  const items: TupleItem[] = []
  while (reader.remaining > 0) items.push(reader.pop())
  return serializeTuple(items).toBoc().toString('base64')
}

function handlers(node: LocalNode): Handlers {
  return {
    '/info': () => ({ globalId: node.globalId, now: node.now() }),
    '/account': ({ address }) => {
      const account = node.account(Address.parse(address))
      return {
        state: account.state,
        balance: account.balance.toString(),
        code: bocOf(account.code),
        data: bocOf(account.data),
        lastLt: account.lastLt.toString(),
      }
    },
    '/get': async ({ address, method, args }) => ({
      stack: stackBoc(await node.get(Address.parse(address), method, tupleItems(args))),
    }),
    '/send': async ({ boc }) => ({ transactions: (await node.send(Buffer.from(boc, 'base64'))).length }),
    '/fund': async ({ address, amount }) => ({
      transactions: (await node.fund(Address.parse(address), BigInt(amount))).length,
    }),
    '/advance': async ({ seconds }) => ({ now: await node.advanceTime(seconds) }),
    '/prices': () => ({
      parameters: [...priceParameters(node.prices)].map(([parameter, cell]) => [
        parameter,
        cell.toBoc().toString('base64'),
      ]),
    }),
    '/audit': () => {
      const audit = node.audit()
      return {
        genesis: audit.genesis.toString(),
        total: audit.total.toString(),
        faucet: audit.faucet.toString(),
        burned: audit.burned.toString(),
      }
    },
  }
}

/** Compares in time that does not depend on where the texts differ. */
function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_REQUEST_BYTES) {
      throw new ContractsError('ERR_CHAIN_TOO_LARGE', `a request has at most ${MAX_REQUEST_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new ContractsError('ERR_CHAIN_REQUEST', 'the body is not JSON')
  }
}

async function answer(request: IncomingMessage, token: string, routes: Handlers): Promise<unknown> {
  // The token keeps other users and web pages out; the content type keeps a page from sending without preflight.
  if (!sameSecret(request.headers.authorization ?? '', `Bearer ${token}`)) {
    throw new ContractsError('ERR_CHAIN_UNAUTHORIZED', 'authorization: the bearer token is missing or wrong')
  }
  const route = request.url ?? ''
  if (request.method !== 'POST' || !Object.hasOwn(requests, route)) {
    throw new ContractsError('ERR_CHAIN_ROUTE', 'no such call')
  }
  if (request.headers['content-type'] !== 'application/json') {
    throw new ContractsError('ERR_CHAIN_REQUEST', 'content-type: application/json is required')
  }
  const parsed = requests[route as Route].safeParse(await readBody(request))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new ContractsError(
      'ERR_CHAIN_REQUEST',
      `${issue?.path.join('.') ?? 'body'}: ${issue?.message ?? 'invalid'}`,
    )
  }
  const handler = routes[route as Route] as (body: unknown) => unknown
  return handler(parsed.data)
}

function reply(response: ServerResponse, status: number, body: unknown, close: boolean): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(close ? { connection: 'close' } : {}),
  })
  response.end(JSON.stringify(body))
}

async function serve(request: IncomingMessage, response: ServerResponse, token: string, routes: Handlers) {
  try {
    reply(response, 200, await answer(request, token, routes), false)
  } catch (error) {
    const known = error instanceof ContractsError
    const code = known ? error.code : 'ERR_CHAIN_INTERNAL'
    const message = known ? error.message : 'the local chain failed; read the state back'
    // The body may be unread: the connection cannot be used again.
    reply(response, STATUS[code] ?? 400, { error: { code, message } }, true)
  }
}

/**
 * Starts the local chain's HTTP server on the loopback interface.
 * @param options.port 0 picks a free one
 * @param options.token bearer token that every call has to bring
 * @param options.lockWaitMs how long a former process on the same folder may take to end
 * @throws ContractsError ERR_CHAIN_LOCKED, ERR_CHAIN_STATE, ERR_CHAIN_PORT_IN_USE, ERR_CHAIN_TOKEN
 */
export async function startLocalChainServer(options: {
  dir: string
  port: number
  token: string
  clock?: () => number
  lockWaitMs?: number
}): Promise<LocalChainServer> {
  if (options.token.length < 32) {
    throw new ContractsError('ERR_CHAIN_TOKEN', 'token: at least 32 characters, made at random')
  }
  const unlock = await takeChainLock(options.dir, options.lockWaitMs)
  try {
    return await serveNode(await LocalNode.open(options.dir, options.clock), options, unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

async function serveNode(
  node: LocalNode,
  options: { port: number; token: string },
  unlock: () => void,
): Promise<LocalChainServer> {
  const routes = handlers(node)
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    void serve(request, response, options.token, routes)
  })
  await listen(server, options.port)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    node,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      await node.close()
      server.closeAllConnections()
      await closed
      unlock()
    },
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'EADDRINUSE' ? 'ERR_CHAIN_PORT_IN_USE' : 'ERR_CHAIN_LISTEN'
      reject(new ContractsError(code, `the local chain cannot listen on 127.0.0.1:${port}`, { cause: error }))
    })
    server.listen(port, '127.0.0.1', () => resolve())
  })
}
