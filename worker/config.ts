/** The worker's settings: one table for the file, the environment, the flags and `--help`. */

import { z } from 'zod'
import { type ConfigSources, loadConfig } from '../attest/cli/config.ts'
import { teeSettings } from '../attest/cli/tee-settings.ts'
import { chainSettings } from '../contracts/chain/settings.ts'
import { registrySettings } from '../contracts/registry/settings.ts'
import { DEFAULT_SETTLE_POLICY } from '../contracts/settlement/policy.ts'
import { embeddedModel } from './engine/embedded.ts'
import { amountSchema, modelIdSchema, rawAddressSchema } from './protocol/index.ts'

const wholeNumber = (min: number, max: number) => z.coerce.number().int().min(min).max(max)
const price = (nanotons: string, what: string) =>
  amountSchema.default(nanotons).describe(`price of ${what}, in nanotons per million tokens`)

export const workerSettings = z.object({
  gatewayUrl: z
    .string()
    .regex(/^wss?:\/\/[^/?#@]+\/link$/, 'expected ws://HOST:PORT/link or wss://HOST[:PORT]/link')
    .default('ws://127.0.0.1:8787/link')
    .describe(
      'the gateway to work for; wss: through a TLS server in front of it, whose certificate is checked',
    ),
  gatewayRoot: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits')
    .optional()
    .describe(
      "SHA-256 of the root that the gateway's evidence has to end in; default: this installation's own",
    ),
  gatewayPolicy: z
    .string()
    .min(1)
    .optional()
    .describe(
      "what a gateway's evidence has to meet: a policy file that pins measurements, or simulated; default: this installation's simulated TEE",
    ),
  ...teeSettings,
  simulateGpus: wholeNumber(0, 16)
    .default(0)
    .describe('for developers: simulated GPUs to attest beside a simulated TEE; they compute nothing'),
  data: z
    .string()
    .min(1)
    .default('.chrysalis')
    .describe('folder of the state, for one worker; it uses worker/ and tee/ in it'),
  teeDir: z
    .string()
    .min(1)
    .optional()
    .describe("folder of the simulated TEE, for workers that share a gateway's; default: tee/ in data"),
  model: z.string().min(1).default(embeddedModel.path).describe('GGUF file of the model'),
  modelId: modelIdSchema.optional().describe('name that clients call the model by'),
  gpu: z
    .enum(['auto', 'cuda', 'off'])
    .default('off')
    .describe('where the model computes: off (CPU), auto or cuda; attested in a TDX guest only'),
  sequences: wholeNumber(1, 256).default(4).describe('requests that the model answers side by side'),
  threads: wholeNumber(1, 1024)
    .optional()
    .describe('CPU threads of the model; default: one less than there are cores'),
  contextLength: wholeNumber(16, 1_048_576).optional().describe('tokens of prompt and answer together'),
  translationCache: wholeNumber(0, 65_536)
    .default(0)
    .describe(
      'MiB of finished translations to keep in memory, each for its own payer, who gets them again for nothing; 0: none',
    ),
  pricePrompt: price('20000000', 'prompt tokens'),
  priceCached: price('5000000', 'prompt tokens found in the cache'),
  priceCompletion: price('60000000', 'answer tokens'),
  priceReasoning: price('60000000', 'reasoning tokens'),
  ...chainSettings,
  ...registrySettings,
  payoutAddress: rawAddressSchema
    .optional()
    .describe(
      'TON address (0:hex) to be paid at; default: a wallet made in the data folder, which settles by itself',
    ),
  ownerAddress: z
    .string()
    .min(1)
    .optional()
    .describe(
      "address of the owner's wallet, UQ… or EQ…, bound once: what the worker's wallet gets is sent there",
    ),
  sweepAbove: amountSchema
    .default('1000000000')
    .describe('nanotons on the worker’s wallet above which all but some for fees is sent to the owner'),
  creditLimit: amountSchema
    .default('100000000')
    .describe('nanotons that gateways may owe, all together, before work stops'),
  settleOverheadBps: wholeNumber(1, 10_000)
    .default(DEFAULT_SETTLE_POLICY.overheadBps)
    .describe(
      'what is earned is settled when the fees are at most this part of it, in hundredths of a percent',
    ),
  settleRiskCap: amountSchema
    .default(String(DEFAULT_SETTLE_POLICY.riskCap))
    .describe('nanotons on one channel that are settled whatever the fees'),
  settleAfterSeconds: wholeNumber(60, 2_592_000)
    .default(DEFAULT_SETTLE_POLICY.maxAgeSeconds)
    .describe('how long what is earned may wait to be settled'),
  unpaid: z.boolean().default(false).describe('work also for a gateway that pays nothing'),
  attestationPort: wholeNumber(0, 65_535)
    .optional()
    .describe(
      'port at which to serve evidence to everybody, GET /v1/attestation?nonce=; 0 picks a free one; default: off',
    ),
  attestationHost: z.string().min(1).default('127.0.0.1').describe('address to serve evidence at'),
  drainSeconds: wholeNumber(0, 3600)
    .default(30)
    .describe('how long running requests may take to finish at the end'),
  logLevel: z
    .enum(['silent', 'error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('what is logged to stderr'),
})

export type WorkerSettings = z.infer<typeof workerSettings>

/** Reads the settings. @throws ConfigError */
export function readSettings(sources: ConfigSources): WorkerSettings {
  return loadConfig(
    {
      name: 'chrysalis worker',
      summary:
        'Lends a model to a gateway: dials it, proves what runs here, and answers sealed requests for pay.',
      schema: workerSettings,
      examples: [
        'Example:',
        '  chrysalis worker --gateway-url ws://127.0.0.1:8787/link --model ./model.gguf --unpaid',
        '',
        'Secrets are read from files only. Logs go to stderr as JSON lines and hold codes and ids, never content.',
        'Without TDX hardware the enclave is simulated: its evidence proves nothing about this machine.',
        'Inside a TDX guest say which gateways to trust: --gateway-policy FILE.',
      ].join('\n'),
    },
    sources,
  )
}
