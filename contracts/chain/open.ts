/** Opens the chain that a process's settings name. */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ContractsError } from '../errors.ts'
import { isOpenToOthers } from '../files.ts'
import { connectLocalChain, type LocalChain } from './local/client.ts'
import type { ChainSettings } from './settings.ts'
import { connectToncenter, type ToncenterChain } from './toncenter/chain.ts'
import type { ProviderOptions } from './toncenter/endpoint.ts'
import { MAINNET, TESTNET, type TonNetwork } from './toncenter/networks.ts'
import { LOCAL_GLOBAL_ID } from './types.ts'

const PUBLIC = [MAINNET, TESTNET]

const hash = z.base64().length(44)
const networkFile = z.strictObject({
  name: z.string().regex(/^[\x20-\x7e]{1,64}$/),
  globalId: z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1),
  zeroState: z.strictObject({ rootHash: hash, fileHash: hash }),
})

/** What is said of a network before anything is sent to it. */
export interface OpenOptions {
  /** Throws for a network that is not to be used, by its global_id. */
  admit?: (globalId: number) => void
}

/**
 * The chain that the settings name; undefined when they name none.
 * @throws ContractsError ERR_CONFIG for settings that do not go together and files that cannot be used, and what
 * connecting throws: ERR_CHAIN_UNREACHABLE, ERR_CHAIN_UNAUTHORIZED, ERR_CHAIN_CONFIG, ERR_CHAIN_NETWORK …
 */
export async function openChain(
  settings: ChainSettings,
  { admit = () => {} }: OpenOptions = {},
): Promise<LocalChain | ToncenterChain | undefined> {
  if (settings.network !== 'local') return await openNetwork(settings, admit)
  refuseBoth(settings, 'local', ['chainProvider', 'chainKeyFile'])
  const { chainUrl, chainTokenFile } = settings
  if (chainUrl === undefined) {
    if (chainTokenFile === undefined) return undefined
    throw wrong('chainUrl', 'needed with chainTokenFile')
  }
  if (chainTokenFile === undefined) throw wrong('chainTokenFile', 'needed with chainUrl')
  const token = (await read('chainTokenFile', chainTokenFile)).trim()
  const chain = await connectLocalChain({ url: chainUrl, token })
  admit(chain.globalId)
  return chain
}

/**
 * The global_id of the network that a setting names: `local`, `testnet`, `mainnet` or the file of a private one.
 * @throws ContractsError ERR_CONFIG
 */
export async function networkGlobalId(name: string): Promise<number> {
  return name === 'local' ? LOCAL_GLOBAL_ID : (await networkOf(name)).globalId
}

async function openNetwork(
  settings: ChainSettings,
  admit: (globalId: number) => void,
): Promise<ToncenterChain> {
  refuseBoth(settings, settings.network, ['chainUrl', 'chainTokenFile'])
  const network = await networkOf(settings.network)
  admit(network.globalId)
  const [one = '', other = ''] = settings.chainProvider?.split(',') ?? []
  if (one === '') throw wrong('chainProvider', `needed with network ${network.name}: two of them, URL,URL`)
  const [keyOfOne, keyOfOther] = settings.chainKeyFile?.split(',') ?? []
  const providers = [await provider(one, keyOfOne), await provider(other, keyOfOther)] as const
  return await connectToncenter({ network, providers })
}

async function provider(endpoint: string, keyFile: string | undefined): Promise<ProviderOptions> {
  if (keyFile === undefined) return { endpoint }
  const apiKey = (await read('chainKeyFile', keyFile)).trim()
  if (await isOpenToOthers(keyFile))
    throw wrong('chainKeyFile', `${keyFile} can be read by others; chmod 600 it`)
  return { endpoint, apiKey }
}

/** A private network is what its file says; a public one never is, so that no false name lets it pass for private. */
async function networkOf(name: string): Promise<TonNetwork> {
  const known = PUBLIC.find((network) => network.name === name)
  if (known) return known
  let json: unknown
  try {
    json = JSON.parse(await read('network', name))
  } catch (error) {
    if (error instanceof ContractsError) throw error
    throw wrong('network', `${name} is no JSON`)
  }
  const parsed = networkFile.safeParse(json)
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || 'file'
    throw wrong(
      'network',
      `${name}: ${field}: expected {"name", "globalId", "zeroState": {"rootHash", "fileHash"}}`,
    )
  }
  const network = parsed.data
  const same = PUBLIC.find(
    ({ globalId, zeroState }) =>
      globalId === network.globalId || zeroState.rootHash === network.zeroState.rootHash,
  )
  if (same) throw wrong('network', `${name} describes the public ${same.name}: say ${same.name} instead`)
  return network
}

function refuseBoth(
  settings: ChainSettings,
  network: string,
  foreign: readonly (keyof ChainSettings)[],
): void {
  const given = foreign.find((name) => settings[name] !== undefined)
  if (given !== undefined) throw wrong(given, `does not go with network ${network}`)
}

async function read(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown'
    const otherwise = setting === 'network' ? ' (a file, where it is not local, testnet or mainnet)' : ''
    throw wrong(setting, `${file} cannot be read: ${why}${otherwise}`)
  }
}

function wrong(setting: string, problem: string): ContractsError {
  return new ContractsError('ERR_CONFIG', `setting ${setting}: ${problem}`)
}
