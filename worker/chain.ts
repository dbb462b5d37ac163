import { readFile } from 'node:fs/promises'
import { ConfigError } from '../attest/cli/config.ts'
import { connectLocalChain, type LocalChain } from '../contracts/index.ts'

/** How the chain is reached. */
export interface ChainSettings {
  chainUrl?: string | undefined
  /** Holds the token; a secret never stands in a setting. */
  chainTokenFile?: string | undefined
}

/**
 * The chain that the settings name; undefined when they name none.
 * @throws ConfigError, ContractsError ERR_CHAIN_UNREACHABLE
 */
export async function openChain({
  chainUrl,
  chainTokenFile,
}: ChainSettings): Promise<LocalChain | undefined> {
  if (chainUrl === undefined) return undefined
  if (chainTokenFile === undefined) throw new ConfigError('setting chainTokenFile: needed with chainUrl')
  let token: string
  try {
    token = (await readFile(chainTokenFile, 'utf8')).trim()
  } catch {
    throw new ConfigError(`setting chainTokenFile: ${chainTokenFile} cannot be read`)
  }
  return await connectLocalChain({ url: chainUrl, token })
}
