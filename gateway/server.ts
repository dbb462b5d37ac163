import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { Address } from '@ton/core'
import type { Logger } from 'pino'
import { ConfigError } from '../attest/cli/config.ts'
import { openTee, warnOfSimulation } from '../attest/cli/open-tee.ts'
import { ChrysalisError } from '../attest/errors.ts'
import type { GuestMachine } from '../attest/guest/index.ts'
import { withRegistry } from '../attest/policy/index.ts'
import { refusePublicNetwork } from '../attest/simulate/network.ts'
import { replaceFile } from '../contracts/files.ts'
import { openChain } from '../contracts/index.ts'
import { readSoftware } from '../worker/protocol/index.ts'
import { createApp } from './api/app.ts'
import { TrustedProxies } from './api/caller.ts'
import { createHttpServer } from './api/http-server.ts'
import { IdempotencyStore } from './api/idempotency/index.ts'
import { RateLimiter } from './api/limits.ts'
import { isLoopback } from './api/loopback.ts'
import { ModelNames } from './api/names.ts'
import { AttestationDesk } from './attestations.ts'
import { Catalog } from './catalog.ts'
import { corsOrigins, dispatchLimits, type GatewayConfig, unchargedRates } from './config.ts'
import { keyVerbs, ledgerVerbs, serveControl } from './control/index.ts'
import { ensurePrivateDir } from './data/index.ts'
import { channelsInUse, Dispatcher } from './dispatch/index.ts'
import { createIdentity } from './identity.ts'
import { systemClock, WorkerPool } from './link/index.ts'
import { type Money, openMoney, openPayments } from './money.ts'
import { ChargeProofs } from './proofs.ts'
import { quotesFor } from './quotes.ts'
import { FollowedRegistry } from './registry.ts'
import { isOthers, whileSeen } from './treasury/index.ts'
import { measuredConfiguration, readTrust, type Trust } from './trust.ts'
import { boundUncharged, Uncharged } from './uncharged.ts'

/** How often channels are compared with the chain, in ms: far below any challenge period. */
const WATCH_MS = 5_000
/** A close waits this long for running requests; then it says that they run, and may be asked for again. */
const CLOSE_MS = 30_000

/** A gateway could not start; the message says what to change. */
export class GatewayStartError extends ChrysalisError {}

export interface RunningGateway {
  url: string
  /** The quickstart's client channel, user-friendly form; none where nobody has paid for one. */
  channel?: string
  /** Takes nothing new, lets what runs finish for at most `drainMs`, closes links, ledger and sockets. */
  stop(drainMs: number): Promise<void>
}

/**
 * Puts the gateway together from its parts and starts serving.
 *
 * @param machine the TDX guest, for tests
 */
export async function startGateway(
  config: GatewayConfig,
  log: Logger,
  machine: GuestMachine = {},
): Promise<RunningGateway> {
  const trust = await readTrust(config, machine)
  const { kind } = trust
  warnOfSimulation(config.tee, kind, log)
  const { chain, registry } = await openNetwork(config, trust, log)
  const policy = registry ? withRegistry(trust.policy, registry.name) : trust.policy
  const money = await openMoney(config, { chain, trust, log })
  const { ledger, treasury } = money
  const software = readSoftware()
  const enclave = await openTee({
    kind,
    folder: config.teeDir,
    role: 'gateway',
    software,
    models: [],
    configuration: measuredConfiguration(config, policy),
    now: Date.now,
    collateral: config.collateral,
    machine,
  })
  const gatewayId = money.keys.gateway.address.toRawString()
  const identity = await createIdentity({
    tee: enclave.tee,
    software,
    registry: registry?.name ?? { globalId: chain.globalId, address: '' },
    payoutAddress: gatewayId,
    now: Date.now,
    monotonic: () => performance.now(),
  })
  const { pricePrompt, priceCached, priceCompletion } = config
  const prices = {
    prompt: pricePrompt,
    cached: priceCached,
    completion: priceCompletion,
    reasoning: priceCompletion,
  }
  const proofs = new ChargeProofs(join(config.data, 'quotes'))
  const pool = new WorkerPool({
    policy,
    registry,
    gpuTools: { rims: trust.rims },
    gatewayId,
    gatewayEvidence: (nonce) => identity.evidence(nonce),
    gatewaySign: (message) => identity.signer.sign(message),
    quotesFor: (worker) => {
      const quotes = quotesFor(worker, prices, registry && ((sha256) => registry.most(sha256)))
      proofs.keep(quotes)
      return quotes
    },
    paymentFor: (worker) => treasury.paymentFor(worker),
    checkVoucher: (payment, shown) => treasury.checkVoucher(payment, shown),
    log,
    limits: { heartbeatMs: config.heartbeatMs, barMs: config.barSeconds * 1000 },
  })
  const uncharged = new Uncharged({ ...unchargedRates(config), now: () => performance.now() })
  const dispatcher = new Dispatcher({
    pool,
    ledger: boundUncharged(whileSeen(ledger, treasury), uncharged),
    signer: identity.signer,
    gatewayId,
    log,
    limits: dispatchLimits(config),
    abandonMs: config.abandonSeconds * 1000,
  })
  const catalog = new Catalog(pool, policy.models)
  const attestation = new AttestationDesk({
    identity,
    sources: () => pool.sources(),
    perMinute: config.attestationsPerMinute,
    monotonic: () => performance.now(),
    log,
  })
  let stopping = false
  const app = createApp({
    dispatcher,
    keys: ledger.keys,
    payments: await openPayments(config, money, uncharged),
    receipts: ledger,
    proofs,
    attestation,
    catalog: () => catalog.models(),
    names: new ModelNames({ aliases: config.alias, defaultModel: config.defaultModel }),
    limiter: new RateLimiter({ requests: config.requestsPerMinute, tokens: config.tokensPerMinute }, () =>
      performance.now(),
    ),
    idempotency: new IdempotencyStore({
      keepMs: config.idempotencySeconds * 1000,
      after: systemClock.after,
    }),
    mayReturn: (model) => catalog.mayReturn(model),
    draining: () => stopping,
    missing: () => [
      ...(catalog.models().length === 0 ? ['worker'] : []),
      ...(treasury.blind ? ['chain'] : []),
      ...(ledger.full ? ['ledger'] : []),
      ...(registry?.outage ? ['registry'] : []),
    ],
    ...(registry && { distrust: () => registry.outage }),
    tee: trust.real ? 'tdx' : 'simulated',
    proxies: new TrustedProxies(config.trustedProxy?.split(',') ?? []),
    loopback: isLoopback(config.host),
    corsOrigins: corsOrigins(config),
    limits: {
      bodyBytes: config.maxBodyBytes,
      deadlineMs: config.deadlineSeconds * 1000,
      keepAliveMs: config.keepAliveSeconds * 1000,
    },
    now: Date.now,
    monotonic: () => performance.now(),
    after: systemClock.after,
    log,
  })
  if (registry) {
    registry.onChange = () => pool.reconsider()
    if (!registry.outage && !registry.lists(gatewayId))
      log.warn(
        { wallet: gatewayId },
        'the registry does not list this gateway: workers that follow it refuse us',
      )
  }
  const server = createHttpServer(app)
  server.on('upgrade', (request, socket, head) => {
    if (!pool.handleUpgrade(request, socket, head)) socket.destroy()
  })
  // Before the first worker can join: each join counts.
  treasury.endIdle(() => channelsInUse(pool, ledger))
  const url = await listen(server, config)
  const control = await openControl(config, money)
  const stopWatching = treasury.watch(WATCH_MS)
  const stop = async (drainMs: number) => {
    const deadline = performance.now() + drainMs
    // It listens on meanwhile: a new request is told 503, and load balancers see `/readyz` fail.
    stopping = true
    await control.withdraw()
    await dispatcher.drain(deadline - performance.now())
    stopWatching()
    registry?.close()
    await pool.close()
    // What is paid for may still be on its way to a slow reader.
    const answered = once(server, 'close')
    server.close()
    await Promise.race([answered, after(Math.max(0, deadline - performance.now()))])
    server.closeAllConnections()
    await control.close()
    identity.close()
    await enclave.close()
    await ledger.close()
  }
  const { channel } = money
  return { url, ...(channel !== undefined && { channel: Address.parseRaw(channel).toString() }), stop }
}

/** The chain, and the registry on it that this gateway follows: before anything is spent. */
async function openNetwork(config: GatewayConfig, { real }: Trust, log: Logger) {
  await ensurePrivateDir(config.data)
  const chain = await openChain(config, real ? {} : { admit: refusePublicNetwork })
  if (!chain) throw new ConfigError('setting chainUrl: needed, with chainTokenFile; or another network')
  return { chain, registry: await FollowedRegistry.open(config, chain, log) }
}

/** The control plane, and the 0600 file by which this user's command line finds it while it serves. */
async function openControl({ data }: GatewayConfig, { treasury, ledger, chain, keys, keptKey }: Money) {
  const channelOf = (input: Record<string, unknown>) =>
    typeof input.channel === 'string' ? input.channel : undefined
  const { url, token, close } = await serveControl({
    'channel/status': () => treasury.status(),
    'channel/settle': (input) => treasury.settle(channelOf(input)),
    'channel/close': (input) => treasury.close(channelOf(input), AbortSignal.timeout(CLOSE_MS)),
    ...keyVerbs(ledger, keptKey, (record) => !isOthers(record, keys.payer.address)),
    ...ledgerVerbs(ledger, chain),
  })
  const file = join(data, 'control.json')
  await replaceFile(file, JSON.stringify({ url, token }))
  return { close, withdraw: () => rm(file, { force: true }) }
}

async function listen(server: Server, { host, port }: GatewayConfig): Promise<string> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new GatewayStartError(
      'ERR_PORT_IN_USE',
      `port ${port} on ${host} is in use by another program; choose another with --port (0 picks a free one)`,
    )
  }
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${name}:${address.port}`
}
