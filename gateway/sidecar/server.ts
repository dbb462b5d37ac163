/** @module Puts a sidecar together: one channel, one gateway, one local port. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { codeOf } from '../../attest/cli/process.ts'
import type { Policy } from '../../attest/policy/index.ts'
import { least } from '../../contracts/index.ts'
import { isLoopback, type Prices } from '../../worker/protocol/index.ts'
import { createHttpServer } from '../api/http-server.ts'
import { Accounts } from './accounts.ts'
import { createSidecarApp } from './app.ts'
import { Budgets } from './budget.ts'
import { GatewayClient } from './client.ts'
import { SidecarError } from './errors.ts'
import type { ChannelFolder } from './folder.ts'
import { Forwarder } from './forward.ts'
import { Signer } from './signer.ts'
import { SidecarState } from './state.ts'
import { Upstream } from './upstream.ts'
import { AskedWorkers, type WorkerKeys } from './workers.ts'

export interface SidecarOptions {
  channel: ChannelFolder
  /** What local programs send as their API key. */
  apiKey: string
  host: string
  /** 0 picks a free one. */
  port: number
  /** What a worker's evidence has to meet, or who vouches for workers otherwise. */
  trust: { policy: Policy; pinned?: readonly string[] } | { workers: WorkerKeys }
  /** Most that may be asked for, nanotons per million tokens. */
  prices: Prices
  /** Nanotons signed ahead of what was verified. */
  slice: bigint
  /** Most that one request may cost, nanotons; the slice when absent. */
  perRequest?: bigint
  /** Bytes of a request body. */
  bodyBytes: number
  /** Longest wait for room in the slice, ms. */
  roomMs?: number
  log: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Wall clock, ms. */
  now?: () => number
  /** A person takes charges of requests made here as they are, proven or not. */
  accept?: boolean
  /** Waits between looks for a receipt; for tests. */
  pause?: (ms: number) => Promise<unknown>
}

export interface Sidecar {
  /** Where it listens, without `/v1`. */
  url: string
  state: SidecarState
  accounts: Accounts
  /** Takes no more requests, and ends those that run. */
  stop(): Promise<void>
}

/** The parts without the server: for the commands that only talk to the gateway. */
export async function openParts(options: Omit<SidecarOptions, 'apiKey' | 'host' | 'port' | 'bodyBytes'>) {
  const { slice, trust, prices, log, now = Date.now, pause } = options
  const channel = await options.channel.allowSlice(slice)
  const { params, globalId, gateway } = channel.record
  const key = await channel.key()
  const state = new SidecarState(channel.stateFile, channel.address)
  try {
    const signer = new Signer({ state, params, globalId, key, slice, now })
    const upstream = new Upstream(gateway)
    const client = new GatewayClient(upstream, signer, state)
    const workers =
      'workers' in trust
        ? trust.workers
        : new AskedWorkers({
            ...{ gateway: upstream.origin, now, ...trust },
            onFailure: (error) =>
              log.warn({ code: codeOf(error) }, 'the gateway shows no evidence of its workers'),
          })
    const accounts = new Accounts({
      ...{ state, signer, client, workers, prices, now, log },
      largestSlice: channel.record.slice,
      keep: (name, evidence) => channel.keep(name, evidence),
      ...(options.accept && { accept: true }),
      ...(pause && { pause }),
    })
    return { channel, state, signer, upstream, client, accounts }
  } catch (error) {
    state.close()
    throw error
  }
}

/**
 * Serves local programs. The gateway need not answer yet: its books are compared with ours before the first payment.
 * @throws SidecarError ERR_SIDECAR_INPUT for an address beyond this machine, ERR_SIDECAR_CHANNEL for a channel that was closed
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { apiKey, host, port, bodyBytes, slice, prices, log, now = Date.now } = options
  if (!isLoopback(host))
    throw new SidecarError(
      'ERR_SIDECAR_INPUT',
      `host: ${host} is not this machine alone; whoever reaches the sidecar spends`,
    )
  if (await options.channel.hasEnded())
    throw new SidecarError(
      'ERR_SIDECAR_CHANNEL',
      `the channel ${options.channel.name} is closed; open another with chrysalis channel open or chrysalis sidecar open`,
    )
  const { state, signer, upstream, client, accounts } = await openParts(options)
  const ready = onceReady(() => accounts.resume())
  const perRequest = least(options.perRequest ?? slice, slice)
  const forwarder = new Forwarder({
    ...{ signer, state, accounts, upstream, ready, now, log },
    budgets: new Budgets({ client, prices, perRequest }),
    roomMs: options.roomMs ?? 30_000,
  })
  const app = createSidecarApp({ apiKey, bodyBytes, log, forward: (request) => forwarder.forward(request) })
  const server = createHttpServer(app)
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    state.close()
    throw new SidecarError(
      'ERR_SIDECAR_INPUT',
      `port ${port} on ${host} cannot be had (${codeOf(cause)}); choose another with --port`,
      { cause },
    )
  }
  ready().catch((error: unknown) => log.warn({ code: codeOf(error) }, 'the gateway could not be asked yet'))
  const stop = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
    upstream.close()
    await accounts.idle()
    state.close()
  }
  const { address, port: bound } = server.address() as AddressInfo
  return { url: `http://${address.includes(':') ? `[${address}]` : address}:${bound}`, state, accounts, stop }
}

/** Runs until it succeeds once; those who come meanwhile share one run. */
function onceReady(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= run().catch((error: unknown) => {
      running = undefined
      throw error
    })
    return running
  }
}
