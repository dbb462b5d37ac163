/** Settings that the verbs of `chrysalis sidecar` share. */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ConfigError } from '../../attest/cli/config.ts'
import { processIo } from '../../attest/cli/io.ts'
import { readPolicy } from '../../attest/cli/policy-source.ts'
import { parseTon } from '../../contracts/amount.ts'
import { amountSchema } from '../../worker/protocol/index.ts'
import type { SidecarFolder } from '../sidecar/index.ts'

export const dataSetting = {
  data: z.string().min(1).default('./.chrysalis/sidecar').describe('folder of keys, channels and state'),
}

export const usdSetting = {
  usd: z.string().optional().describe('dollars for one TON, to show amounts in both; it is never fetched'),
}

/** Settings of everything that asks the gateway and proves charges. */
export const payingSettings = {
  ...dataSetting,
  gateway: z
    .string()
    .min(1)
    .optional()
    .describe('address of the gateway; default: the one that the channel was opened with'),
  policy: z
    .string()
    .min(1)
    .default('strict')
    .describe("what workers' evidence has to meet: strict, simulated, or a policy file; see attest policy"),
  root: z
    .string()
    .min(1)
    .optional()
    .describe('with policy simulated: the root of that simulation (root.der in its tee folder)'),
  slice: z
    .string()
    .default('0.1')
    .describe('TON signed ahead of what receipts prove: the most that a dishonest gateway can take'),
  perRequest: z.string().optional().describe('most TON that one request may cost; default: the slice'),
  maxPricePrompt: amountSchema
    .default('50000000')
    .describe('most that is paid for prompt tokens, nanotons per million'),
  maxPriceCompletion: amountSchema
    .default('200000000')
    .describe('most that is paid for output tokens, nanotons per million'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('least severe log line to print'),
}

/** What the settings say, for `startSidecar` and `openParts`. @param address raw, of another channel than the current one */
export async function payingOptions(
  config: z.infer<z.ZodObject<typeof payingSettings>>,
  folder: SidecarFolder,
  address?: string,
) {
  const { policy, root, gateway, slice, perRequest, maxPricePrompt, maxPriceCompletion } = config
  const channel = await folder.channel(address)
  return {
    channel: gateway === undefined ? channel : channel.at(gateway),
    trust: { policy: await readPolicy(processIo(), policy, root) },
    prices: {
      prompt: maxPricePrompt,
      cached: maxPricePrompt,
      completion: maxPriceCompletion,
      reasoning: maxPriceCompletion,
    },
    slice: parseTon(slice),
    ...(perRequest !== undefined && { perRequest: parseTon(perRequest) }),
  }
}

/** The text of a small file that the person named. @throws ConfigError */
export async function readSetting(flag: string, file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new ConfigError(
      `${flag} ${file}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`,
    )
  }
}
