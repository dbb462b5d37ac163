/** The settings by which a process is told its TON network: gateway, worker and the commands share them. */

import { z } from 'zod'

const PAIR = /^[^,]+,[^,]+$/

/** How the chain is reached. Secrets stand in files, never in a setting. */
export const chainSettings = {
  network: z
    .string()
    .min(1)
    .default('local')
    .describe(
      'TON network: local, testnet, mainnet, or a JSON file that names a private one (name, globalId, zeroState)',
    ),
  chainUrl: z.url().optional().describe('the local TON chain'),
  chainTokenFile: z.string().min(1).optional().describe('file with the bearer token of the local chain'),
  chainProvider: z
    .string()
    .regex(PAIR, 'expected URL,URL of two providers')
    .optional()
    .describe(
      "other networks: the API v2 of two providers as toncenter's, URL,URL; what they do not both say is not believed",
    ),
  chainKeyFile: z
    .string()
    .regex(PAIR, 'expected FILE,FILE, one for each provider')
    .optional()
    .describe(
      'files (mode 0600) with the API keys of the two providers, FILE,FILE; without, one request a second',
    ),
}

/** What {@link chainSettings} read. */
export type ChainSettings = z.output<z.ZodObject<typeof chainSettings>>
