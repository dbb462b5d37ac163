/** Who owns a worker: the one address that its wallet ever sends to. */

import { readFile } from 'node:fs/promises'
import { Address } from '@ton/core'
import { createFile } from '../../contracts/files.ts'
import { LOCAL_GLOBAL_ID, MAINNET, TESTNET } from '../../contracts/index.ts'
import { EarningsError } from './errors.ts'

const NETWORKS: Readonly<Record<number, string>> = {
  [MAINNET.globalId]: 'mainnet',
  [TESTNET.globalId]: 'testnet',
  [LOCAL_GLOBAL_ID]: 'the local chain',
}

/** What people call a network. */
export function networkName(globalId: number): string {
  return NETWORKS[globalId] ?? `network ${globalId}`
}

/**
 * An address to send money to, in the form that wallets show: 48 characters that hold a checksum and tell whether they
 * are for testnet. A form without a checksum is refused, since one wrong digit would send the money to nobody.
 * @throws EarningsError ERR_WITHDRAW_ADDRESS
 */
export function parseOwner(text: string, globalId: number): Address {
  const { address, isTestOnly } = parseFriendly(text)
  if (address.workChain !== 0) throw refused('is not on the basechain, where wallets are')
  if (address.hash.every((byte) => byte === 0)) throw refused('belongs to nobody')
  const wantsTest = globalId === TESTNET.globalId
  if (isTestOnly === wantsTest) return address
  const form = wantsTest ? '0Q or kQ' : 'UQ or EQ'
  throw refused(`is written for another network than ${networkName(globalId)}, where they begin with ${form}`)
}

function parseFriendly(text: string): ReturnType<typeof Address.parseFriendly> {
  if (/^-?\d+:/.test(text)) {
    throw refused('is in raw form, which has no checksum: give the form that wallets show, UQ… or EQ…')
  }
  if (!Address.isFriendly(text)) throw refused('is not an address of TON')
  try {
    return Address.parseFriendly(text)
  } catch {
    throw refused('has a wrong checksum: copy it again')
  }
}

/**
 * The owner of the worker in this file, who is bound by the first address and never changes again.
 * @param to what the person gave; absent: whoever is bound
 * @throws EarningsError ERR_WITHDRAW_OWNER, ERR_WITHDRAW_ADDRESS
 */
export async function readOwner(file: string, to: string | undefined, globalId: number): Promise<Address> {
  const bound = await boundOwner(file, globalId)
  if (to === undefined) {
    if (bound) return bound
    throw new EarningsError('ERR_WITHDRAW_OWNER', '--to: name the address of your wallet, this first time')
  }
  const asked = parseOwner(to, globalId)
  if (bound && !bound.equals(asked)) {
    throw new EarningsError(
      'ERR_WITHDRAW_OWNER',
      `--to: this worker belongs to ${written(bound, globalId)}; if that has to change, remove ${file} yourself`,
    )
  }
  return asked
}

/** Binds the owner, for good. @throws EarningsError ERR_WITHDRAW_OWNER when another process has bound another */
export async function bindOwner(file: string, owner: Address, globalId: number): Promise<void> {
  await createFile(file, `${written(owner, globalId)}\n`)
  const bound = await boundOwner(file, globalId)
  if (bound?.equals(owner)) return
  throw new EarningsError('ERR_WITHDRAW_OWNER', `${file} names another owner`)
}

/** The address as wallets of this network show it. */
export function written(address: Address, globalId: number): string {
  return address.toString({ bounceable: false, testOnly: globalId === TESTNET.globalId })
}

async function boundOwner(file: string, globalId: number): Promise<Address | undefined> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new EarningsError('ERR_WITHDRAW_OWNER', `${file} cannot be read`, { cause: error })
  }
  try {
    return parseOwner(text, globalId)
  } catch (cause) {
    throw new EarningsError('ERR_WITHDRAW_OWNER', `${file} does not hold an address of this network`, {
      cause,
    })
  }
}

function refused(what: string): EarningsError {
  return new EarningsError('ERR_WITHDRAW_ADDRESS', `--to: the address ${what}`)
}
