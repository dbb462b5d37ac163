/** The settings by which a process is told the registry that it follows, and opening it: gateway and worker share both. */

import { join } from 'node:path'
import { Address } from '@ton/core'
import { z } from 'zod'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { type FollowOptions, RegistryFollower } from './follow.ts'
import { FileMarks } from './marks.ts'
import type { SnapshotMark } from './reader.ts'
import type { RegistryName } from './view.ts'

const PIN = /^([1-9]\d{0,9}):([0-9a-f]{64})$/

export const registrySettings = {
  registry: z
    .string()
    .min(1)
    .optional()
    .describe(
      'address of the registry, on the chain above, that says which measurements, models, gateways and software are trusted; default: none, and the policy alone says it',
    ),
  registryPin: z
    .string()
    .regex(PIN, 'expected VERSION:HASH, as chrysalis registry show prints it')
    .optional()
    .describe(
      'a snapshot of the registry that is known from elsewhere, VERSION:HASH: none below it is believed',
    ),
  registrySeconds: z.coerce
    .number()
    .int()
    .min(1)
    .max(3600)
    .default(30)
    .describe('seconds between two looks at the registry'),
  registryOutageSeconds: z.coerce
    .number()
    .int()
    .min(10)
    .max(86_400)
    .default(900)
    .describe('how long the last look at the registry is relied on while it cannot be read; then nobody is'),
}

/** What {@link registrySettings} read. */
export type RegistrySettings = z.output<z.ZodObject<typeof registrySettings>>

/** The registry that the settings name, on this chain. @throws ContractsError ERR_CONFIG */
export function registryName(
  { registry, registryPin }: Pick<RegistrySettings, 'registry' | 'registryPin'>,
  chain: Pick<Chain, 'globalId'> | undefined,
): RegistryName | undefined {
  if (registry === undefined) {
    if (registryPin !== undefined) throw wrong('registryPin', 'needs registry, the address')
    return undefined
  }
  if (!chain) throw wrong('registry', 'needs a chain: name the network, or chainUrl and chainTokenFile')
  try {
    return { globalId: chain.globalId, address: Address.parse(registry) }
  } catch {
    throw wrong('registry', 'no TON address: expected EQ… or 0:hex')
  }
}

/**
 * Begins to follow the registry that the settings name; undefined when they name none.
 * @param folder keeps the highest version seen over restarts, a file for each registry
 * @throws ContractsError ERR_CONFIG, and what {@link RegistryFollower.start} throws
 */
export async function openRegistry(
  settings: RegistrySettings,
  chain: Chain | undefined,
  { folder, ...hooks }: { folder: string } & Pick<FollowOptions, 'onChange' | 'onWarning'>,
): Promise<RegistryFollower | undefined> {
  const name = registryName(settings, chain)
  if (!name || !chain) return undefined
  const { registrySeconds: everySeconds, registryOutageSeconds: outageSeconds } = settings
  if (outageSeconds <= everySeconds)
    throw wrong('registryOutageSeconds', 'has to be more than registrySeconds, or each look comes too late')
  const pin = pinOf(settings.registryPin)
  const follower = new RegistryFollower({
    ...{ chain, ...name, ...hooks, marks: new FileMarks(markFile(folder, name)) },
    ...(pin && { pin }),
    ...{ everySeconds, outageSeconds },
  })
  await follower.start()
  return follower
}

/** A registry's mark in a folder: one of another network or address is another's. */
export function markFile(folder: string, { globalId, address }: RegistryName): string {
  return join(folder, `registry-mark-${globalId}-${address.hash.toString('hex')}.json`)
}

function pinOf(text: string | undefined): SnapshotMark | undefined {
  const [, version, hash] = PIN.exec(text ?? '') ?? []
  return version === undefined || hash === undefined ? undefined : { version: Number(version), hash }
}

function wrong(setting: string, problem: string): ContractsError {
  return new ContractsError('ERR_CONFIG', `setting ${setting}: ${problem}`)
}
