import { z } from 'zod'
import { ConfigError } from '../attest/cli/config.ts'
import { teeSettings } from '../attest/cli/tee-settings.ts'
import { chainSettings } from '../contracts/chain/settings.ts'
import { registrySettings } from '../contracts/registry/settings.ts'
import { amountSchema, isLoopback, modelIdSchema } from '../worker/protocol/index.ts'
import { readNetwork } from './api/caller.ts'
import type { DispatchLimits } from './dispatch/index.ts'
import type { TreasuryTerms } from './treasury/index.ts'

const corsOriginSchema = z
  .string()
  .regex(/^(\*|none|https?:\/\/[^\s,/]+(,https?:\/\/[^\s,/]+)*)$/, 'expected *, none, or ORIGIN[,ORIGIN …]')

const aliasesSchema = z
  .string()
  .regex(/^[^=,]+=[^=,]+(,[^=,]+=[^=,]+)*$/, 'expected NAME=ID[,NAME=ID …]')
  .transform((text) => Object.fromEntries(text.split(',').map((pair) => pair.split('=') as [string, string])))
  .pipe(z.record(modelIdSchema, modelIdSchema))

const seconds = (least: number, most: number, standard: number) =>
  z.coerce.number().int().min(least).max(most).default(standard)

/** Settings of the gateway process: `chrysalis up` passes them as flags. */
export const gatewaySchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8787)
    .describe('port to listen on; 0 picks a free one'),
  corsOrigin: corsOriginSchema
    .optional()
    .describe(
      'origins of web pages that may call, in a comma-separated list, * for all, none for none; default: none on loopback, else *',
    ),
  data: z.string().min(1).default('./.chrysalis/gateway').describe('folder for ledger and keys'),
  ledgerPostgresFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'file (mode 0600) with the connection string of a PostgreSQL database that keeps the ledger; default: a file in data',
    ),
  teeDir: z.string().min(1).default('./.chrysalis/tee').describe('folder of the simulated TEE'),
  ...chainSettings,
  ...registrySettings,
  ...teeSettings,
  policy: z
    .string()
    .min(1)
    .optional()
    .describe(
      "what a worker's evidence has to meet: a policy file that pins measurements, or simulated; default: the simulated TEE in teeDir",
    ),
  simulatedGpus: z
    .boolean()
    .default(false)
    .describe("for developers: with the default policy, take also this installation's simulated GPUs"),
  rims: z
    .string()
    .min(1)
    .optional()
    .describe(
      "folder of reference measurements (NVIDIA's RIM files) to judge GPUs by, besides those that workers bring",
    ),
  pinModels: z
    .string()
    .regex(/^[^=,]+=[0-9a-f]{64}(,[^=,]+=[0-9a-f]{64})*$/, 'expected ID=SHA256[,ID=SHA256 …]')
    .optional()
    .describe('models that workers may serve, as ID=SHA256 in a comma-separated list; absent: any'),
  pricePrompt: amountSchema.default('50000000').describe('client price, nanotons per million prompt tokens'),
  priceCached: amountSchema
    .default('10000000')
    .describe('client price, nanotons per million cached prompt tokens'),
  priceCompletion: amountSchema
    .default('200000000')
    .describe('client price, nanotons per million output tokens'),
  minDeposit: amountSchema
    .default('400000000')
    .describe('least deposit, in nanotons, of a channel that its client signs'),
  delegatedChannels: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'on: whoever deposits minDeposit on a channel whose vouchers this gateway signs gets an API key for it; off: nobody but you',
    ),
  alias: aliasesSchema
    .optional()
    .describe(
      'other names of models, as NAME=ID in a comma-separated list: programs that ask for NAME get ID',
    ),
  defaultModel: modelIdSchema.optional().describe('model of a request that names none'),
  requestsPerMinute: z.coerce.number().int().min(1).default(600).describe('rate limit of each API key'),
  tokensPerMinute: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('tokens of prompt and answer that each API key may ask for in a minute; absent: no limit'),
  trustedProxy: z
    .string()
    .refine((text) => text.split(',').every((network) => readNetwork(network)), {
      message: 'expected CIDR[,CIDR …], e.g. 10.0.0.0/8,2001:db8::/64',
    })
    .optional()
    .describe(
      'addresses of reverse proxies in front, as CIDR in a comma-separated list: the end of their X-Forwarded-For says who calls; default: none',
    ),
  attestationsPerMinute: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(60)
    .describe('evidence bundles that one address may have made in a minute; all together get ten times that'),
  maxBodyBytes: z.coerce
    .number()
    .int()
    .min(1024)
    .max(3_000_000)
    .default(1_000_000)
    .describe('largest request body'),
  deadlineSeconds: seconds(1, 3_600, 600).describe('longest that a request may take'),
  queueSeconds: seconds(1, 600, 30).describe('longest wait for a free worker; then 429'),
  firstTokenSeconds: seconds(1, 3_600, 120).describe(
    'longest time that a worker may take until the first token, the prefill included',
  ),
  silenceSeconds: seconds(1, 3_600, 60).describe('longest silence of a worker within an answer'),
  stallSeconds: seconds(1, 3_600, 60).describe('longest time that a client may take nothing of an answer'),
  maxQueued: z.coerce
    .number()
    .int()
    .min(0)
    .max(100_000)
    .default(256)
    .describe(
      'requests that may wait for a free worker; more get 429. An API key may have a quarter of them',
    ),
  maxActivePerKey: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(128)
    .describe('requests that each API key may have under way at once'),
  keepAliveSeconds: seconds(1, 600, 15).describe(
    'silence within a stream, a long prefill for one, after which a comment is sent',
  ),
  idempotencySeconds: seconds(0, 86_400, 600).describe(
    'how long an answer stays in memory for a repeat of its Idempotency-Key; 0: only while it runs',
  ),
  chainOutageSeconds: seconds(10, 1_800, 900).describe(
    'how long channels are served without a look at the chain; then 503. A payer needs an hour at least to be gone',
  ),
  settleOverheadBps: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('a channel is settled once fees are at most this part of the claim, in 1/10,000'),
  settleRisk: amountSchema
    .default('1000000000')
    .describe('… or once this stands unsettled on it, in nanotons'),
  settleAgeSeconds: seconds(60, 2_592_000, 86_400).describe(
    '… or once its oldest unsettled charge is this old',
  ),
  workerChannelIdleDays: z.coerce
    .number()
    .int()
    .min(1)
    .max(365)
    .default(7)
    .describe(
      'days after which the channel of a worker that is gone is ended, and its deposit returns; counted while the gateway runs',
    ),
  abandonSeconds: seconds(1, 86_400, 900).describe(
    'how long after a restart a worker may take to come back with its receipts; what nobody proves until then is not charged',
  ),
  drainSeconds: seconds(0, 600, 25).describe('grace for running requests at the end'),
  heartbeatMs: z.coerce
    .number()
    .int()
    .min(50)
    .max(120_000)
    .default(15_000)
    .describe('interval of link heartbeats'),
  barSeconds: seconds(0, 3_600, 60).describe('how long a worker that broke the protocol is refused'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('least severe log line to print'),
})

export type GatewayConfig = z.infer<typeof gatewaySchema>

/**
 * The origins whose pages may call. Everywhere but on this machine all may: what counts is the API key that a page
 * sends. On loopback a page has to be named, since any page in the user's browser reaches it.
 *
 * @throws ConfigError
 */
export function corsOrigins({ host, corsOrigin }: Pick<GatewayConfig, 'host' | 'corsOrigin'>): string[] {
  const loopback = isLoopback(host)
  if (corsOrigin === undefined) return loopback ? [] : ['*']
  if (corsOrigin === 'none') return []
  if (corsOrigin === '*' && loopback) {
    throw new ConfigError(
      'setting corsOrigin: on loopback * would let every web page call; name the origins, e.g. http://localhost:3000',
    )
  }
  return corsOrigin.split(',')
}

/** The dispatcher's times and bounds. */
export function dispatchLimits(config: GatewayConfig): Partial<DispatchLimits> {
  return {
    queueMs: config.queueSeconds * 1000,
    firstFrameMs: config.firstTokenSeconds * 1000,
    idleMs: config.silenceSeconds * 1000,
    stallMs: config.stallSeconds * 1000,
    maxQueued: config.maxQueued,
    maxQueuedPerKey: Math.ceil(config.maxQueued / 4),
    maxActivePerKey: config.maxActivePerKey,
  }
}

/**
 * What one API key or channel may leave in the ledger without a charge: all that it may have under way at once, each with a
 * voucher, twice over; and a hundredth of its rate, but one a minute at least, as clients wait for no longer. Where prompts
 * cost nothing, nothing is bounded: nobody can be told from others by what is charged.
 */
export function unchargedRates({ maxActivePerKey, requestsPerMinute, pricePrompt }: GatewayConfig) {
  if (pricePrompt === '0') return { burst: Number.MAX_SAFE_INTEGER, perMinute: 0 }
  return { burst: 4 * maxActivePerKey, perMinute: Math.max(1, requestsPerMinute / 100) }
}

/** What the treasury is told of chain and settlement. */
export function treasuryTerms(config: GatewayConfig): Partial<TreasuryTerms> {
  return {
    outageSeconds: config.chainOutageSeconds,
    workerIdleSeconds: config.workerChannelIdleDays * 86_400,
    settle: {
      overheadBps: config.settleOverheadBps,
      riskCap: BigInt(config.settleRisk),
      maxAgeSeconds: config.settleAgeSeconds,
    },
  }
}

/** The pinned models as a policy wants them. */
export function pinnedModels(text: string | undefined): Record<string, string[]> | undefined {
  if (text === undefined) return undefined
  const pins: Record<string, string[]> = {}
  for (const pin of text.split(',')) {
    const [id = '', digest = ''] = pin.split('=')
    const digests = pins[id] ?? []
    digests.push(digest)
    pins[id] = digests
  }
  return pins
}
