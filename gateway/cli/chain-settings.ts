/** Which chain a payer's command works on, and how it is reached. */

import { z } from 'zod'
import { ConfigError } from '../../attest/cli/config.ts'
import {
  type Chain,
  connectLocalChain,
  connectToncenter,
  type LocalChain,
  MAINNET,
  type ProviderOptions,
  TESTNET,
} from '../../contracts/index.ts'
import { readSecret } from '../data/index.ts'
import { readSetting } from './sidecar-settings.ts'

export const chainSettings = {
  network: z
    .enum(['local', 'testnet', 'mainnet'])
    .default('local')
    .describe('local: the chain of a quickstart, play money; testnet or mainnet: with --chain-provider'),
  chainUrl: z.string().min(1).optional().describe('local: URL of the chain'),
  chainTokenFile: z.string().min(1).optional().describe("local: file with the chain's bearer token"),
  chainProvider: z
    .string()
    .min(1)
    .optional()
    .describe(
      'testnet, mainnet: two providers of toncenter API v2 (URL,URL) on different machines; what only one says is not believed',
    ),
  chainKeyFile: z
    .string()
    .optional()
    .describe('testnet, mainnet: files (mode 0600) with their API keys, FILE,FILE; empty for none'),
}

type ChainConfig = z.infer<z.ZodObject<typeof chainSettings>>

/** A chain that may be a local one, which has a faucet. */
export type PayersChain = Chain & Partial<Pick<LocalChain, 'fund'>>

/** @throws ConfigError for settings that do not belong together; ContractsError when the chain is not that network's */
export async function connectChain(config: ChainConfig): Promise<PayersChain> {
  const { network, chainUrl, chainTokenFile, chainProvider, chainKeyFile } = config
  const foreign = network === 'local' ? { chainProvider, chainKeyFile } : { chainUrl, chainTokenFile }
  if (Object.values(foreign).some((value) => value !== undefined))
    throw new ConfigError(
      network === 'local'
        ? '--chain-provider, --chain-key-file: with --network testnet or mainnet'
        : '--chain-url, --chain-token-file: with --network local',
    )
  if (network !== 'local') {
    const [first, second, ...more] = await readProviders(chainProvider, chainKeyFile)
    if (!first || !second || more.length > 0)
      throw new ConfigError('--chain-provider: two URLs, with a comma between them')
    const ton = network === 'mainnet' ? MAINNET : TESTNET
    return await connectToncenter({ network: ton, providers: [first, second] })
  }
  if (chainUrl === undefined || chainTokenFile === undefined)
    throw new ConfigError('--chain-url and --chain-token-file: of the local chain; or --network')
  return await connectLocalChain({
    url: chainUrl,
    token: await readSetting('--chain-token-file', chainTokenFile),
  })
}

async function readProviders(urls = '', keyFiles = ''): Promise<ProviderOptions[]> {
  const files = keyFiles.split(',')
  const endpoints = urls.split(',').filter((url) => url !== '')
  return await Promise.all(
    endpoints.map(async (endpoint, n) => {
      const file = files[n]
      if (!file) return { endpoint }
      const key = await readSecret(file)
      if (!key) throw new ConfigError(`--chain-key-file ${file}: there is no such file`)
      return { endpoint, apiKey: Buffer.from(key).toString('utf8').trim() }
    }),
  )
}
