/** What the verbs of `chrysalis registry` share. */

import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { createFile } from '../../contracts/files.ts'
import {
  type Chain,
  type ChainSettings,
  chainSettings,
  describeRequest,
  formatRequest,
  friendlyAddress,
  Registry,
  RegistryClient,
  type SigningRequest,
} from '../../contracts/index.ts'
import { connectChain } from './chain-settings.ts'
import { parseAddress } from './sidecar-channel.ts'

/** Which registry, on which network. */
export const registrySettings = {
  registry: z.string().min(1).describe('address of the registry'),
  ...chainSettings,
}

export const walletSetting = z
  .string()
  .min(1)
  .describe('wallet file that pays (0600, made on first use); any wallet may, what counts are the signatures')

export const keySetting = z.string().min(1).describe("file of an owner's key (0600), from registry keygen")

/** A registry that can be talked to. */
export interface Reached {
  chain: Chain
  client: RegistryClient
}

/** @throws ConfigError, and what opening the chain throws */
export async function reach(config: ChainSettings & { registry: string }): Promise<Reached> {
  const registry = new Registry(parseAddress(config.registry, '--registry'))
  const chain = await connectChain(config)
  return { chain, client: new RegistryClient({ chain, registry }) }
}

/**
 * Words before the options, such as `FILE`; then the options as the schema has them.
 * @param names of the words, for people. With `...` at its end, the last one may be said several times
 * @throws ConfigError
 */
export function load<S extends Record<string, z.ZodType>>(
  command: { verb: string; names: readonly string[]; summary: string; schema: z.ZodObject<S> },
  argv: readonly string[],
): { words: string[]; config: z.infer<z.ZodObject<S>> } {
  const { verb, names, summary, schema } = command
  const name = ['chrysalis registry', verb, ...names].join(' ')
  const first = argv.findIndex((word) => word.startsWith('-'))
  const words = first < 0 ? [...argv] : argv.slice(0, first)
  const flags = first < 0 ? [] : argv.slice(first)
  const config = loadConfig({ name, summary, schema }, { argv: flags, env: process.env })
  const several = names.at(-1)?.endsWith('...') && words.length > names.length
  if (words.length !== names.length && !several) {
    throw new ConfigError(
      `${name}: say ${names.join(' ') || 'nothing'} before the options; see ${name} --help`,
    )
  }
  return { words, config }
}

/** @throws ConfigError */
export function proposalNumber(text = ''): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new ConfigError('NUMBER: of a proposal that waits; see registry show')
}

/** Writes a new request for its owners, and says what it asks. @throws ConfigError when the file is there */
export async function handOut(request: SigningRequest, file: string): Promise<void> {
  if (!(await createFile(file, formatRequest(request)))) {
    throw new ConfigError(`--out ${file}: is there already, perhaps with signatures; take another name`)
  }
  say(
    ...describeRequest(request),
    `written to ${file}; owners sign it with: chrysalis registry sign ${file} --key FILE`,
  )
}

/** A registry's address as people see it. */
export function shown(client: RegistryClient, chain: Chain): string {
  return friendlyAddress(client.registry.address, chain.globalId)
}

export function say(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}
