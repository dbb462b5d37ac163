/**
 * The sidecar's folder: `api-key`, which local programs send, and under `channels/` a folder for each channel with its
 * voucher key, its terms, its state and the evidence of disputes; or, where the gateway signs, with its API key and what
 * its owner ends it by. Keys are 0600 files, each for one channel only.
 */

import { type KeyObject, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { z } from 'zod'
import { firstIssue } from '../../attest/schema.ts'
import { replaceFile, syncFolder } from '../../contracts/files.ts'
import {
  type ChannelParams,
  channelAddress,
  channelParamsFromJson,
  channelParamsSchema,
  channelParamsToJson,
  friendlyAddress,
  privateKeyFromSeed,
  seedOf,
} from '../../contracts/index.ts'
import { amountSchema } from '../../worker/protocol/index.ts'
import { ensurePrivateDir, openSecret, readSecret } from '../data/index.ts'
import { takeLock } from '../data/lock.ts'
import type { OwnerSecrets } from '../pay/commitment.ts'
import { SidecarError } from './errors.ts'

const OWNER_FILE = 'owner-key'
const API_KEY_FILE = 'api-key'
const OPENED_FILE = 'opened'

const recordSchema = z.strictObject({
  v: z.literal(1),
  gateway: z.url(),
  globalId: z.int(),
  params: channelParamsSchema,
  slice: amountSchema,
  signer: z.literal('gateway').optional(),
})

const movementSchema = z.strictObject({
  at: z.int(),
  kind: z.enum(['deposit', 'payee', 'returned']),
  amount: amountSchema,
})

/**
 * What a channel's money did on the chain, as this program saw it: paid in, gone to the gateway at the end, come back at
 * the end (the reserve for rent apart). Nanotons, Unix ms.
 */
export interface Movement {
  at: number
  kind: 'deposit' | 'payee' | 'returned'
  amount: bigint
}

/** A channel as its folder describes it; the key is apart. */
export interface ChannelRecord {
  /** Address of the gateway that it pays. */
  gateway: string
  globalId: number
  params: ChannelParams
  /** The largest slice that was ever signed ahead on it, nanotons. */
  slice: bigint
  /** The gateway signs its vouchers, and an API key draws on it; absent: they are signed here. */
  signer?: 'gateway' | undefined
}

/** A channel's folder. */
export class ChannelFolder {
  readonly dir: string
  readonly record: ChannelRecord
  /** Raw address. */
  readonly address: string

  constructor(dir: string, record: ChannelRecord) {
    this.dir = dir
    this.record = record
    this.address = channelAddress(record.params).toRawString()
  }

  /** The address as wallets show it: what people are told, and take back by any command. */
  get name(): string {
    return friendlyAddress(Address.parseRaw(this.address), this.record.globalId)
  }

  /** The same channel, whose gateway is found at another address. */
  at(gateway: string): ChannelFolder {
    return new ChannelFolder(this.dir, { ...this.record, gateway })
  }

  get stateFile(): string {
    return join(this.dir, 'state.sqlite')
  }

  /** The private half of the voucher key. @throws SidecarError ERR_SIDECAR_CHANNEL when it is gone */
  async key(): Promise<KeyObject> {
    const hex = await this.#text('voucher-key')
    if (/^[0-9a-f]{64}$/.test(hex)) return privateKeyFromSeed(Buffer.from(hex, 'hex'))
    throw new SidecarError(
      'ERR_SIDECAR_CHANNEL',
      `${join(this.dir, 'voucher-key')}: 64 hexadecimal digits expected`,
    )
  }

  /** What its owner alone knows of a channel that the gateway signs for. @throws SidecarError ERR_SIDECAR_CHANNEL when it is gone */
  async secrets(): Promise<OwnerSecrets> {
    const [owner, apiKey] = await Promise.all([this.#text(OWNER_FILE), this.#text(API_KEY_FILE)])
    if (/^[0-9a-f]{64}$/.test(owner) && apiKey !== '') return { owner: Buffer.from(owner, 'hex'), apiKey }
    throw new SidecarError('ERR_SIDECAR_CHANNEL', `${this.dir}: ${OWNER_FILE} or ${API_KEY_FILE} is gone`)
  }

  /** Where the API key of such a channel is. */
  get apiKeyFile(): string {
    return join(this.dir, API_KEY_FILE)
  }

  /** Whether its deposit was seen: if not, a run that opened it was interrupted. */
  get wasOpened(): boolean {
    return existsSync(join(this.dir, OPENED_FILE))
  }

  /** Its deposit is there, and whoever is to draw on it can. */
  async markOpened(): Promise<void> {
    await replaceFile(join(this.dir, OPENED_FILE), '')
  }

  async #text(name: string): Promise<string> {
    return Buffer.from((await readSecret(join(this.dir, name))) ?? [])
      .toString('utf8')
      .trim()
  }

  /** Notes a larger slice before anything is signed by it. */
  async allowSlice(slice: bigint): Promise<ChannelFolder> {
    if (slice <= this.record.slice) return this
    const record = { ...this.record, slice }
    await replaceFile(join(this.dir, 'channel.json'), encode(record))
    return new ChannelFolder(this.dir, record)
  }

  /** Adds to the books of this channel. */
  async noteMovement({ kind, amount }: Omit<Movement, 'at'>): Promise<void> {
    const all = [...(await this.movements()), { at: Date.now(), kind, amount }]
    const lines = all.map((each) => `${JSON.stringify({ ...each, amount: each.amount.toString() })}\n`)
    await replaceFile(join(this.dir, 'movements.jsonl'), lines.join(''))
  }

  /** The books of this channel, oldest first. @throws SidecarError ERR_SIDECAR_STATE */
  async movements(): Promise<Movement[]> {
    const file = join(this.dir, 'movements.jsonl')
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
    return lines.map((line) => {
      const parsed = movementSchema.safeParse(parseJson(line))
      if (!parsed.success) throw new SidecarError('ERR_SIDECAR_STATE', firstIssue(parsed.error, file))
      return { ...parsed.data, amount: BigInt(parsed.data.amount) }
    })
  }

  /** Whether it was closed from here; a close from elsewhere is on the chain only. */
  async hasEnded(): Promise<boolean> {
    return (await this.movements()).some(({ kind }) => kind === 'returned')
  }

  /** Keeps evidence. @returns the file's path */
  async keep(name: string, evidence: unknown): Promise<string> {
    const dir = join(this.dir, 'evidence')
    await ensurePrivateDir(dir)
    const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
    const file = join(dir, `${stamp}-${name}.json`)
    await replaceFile(file, `${JSON.stringify(evidence, undefined, 2)}\n`)
    return file
  }
}

/** The folder of all. One process at a time holds it. */
export class SidecarFolder {
  readonly dir: string
  readonly #unlock: () => void

  private constructor(dir: string, unlock: () => void) {
    this.dir = dir
    this.#unlock = unlock
  }

  /** Makes the folder on first use (0700). @throws DataError `ERR_DATA_LOCKED` while another process signs with it */
  static async open(dir: string): Promise<SidecarFolder> {
    await ensurePrivateDir(join(dir, 'channels'))
    return new SidecarFolder(dir, takeLock(dir))
  }

  /** The key that local programs send as their API key; made on first use, which `fresh` tells. */
  async apiKey(): Promise<{ key: string; fresh: boolean }> {
    let fresh = false
    const secret = await openSecret(join(this.dir, 'api-key'), () => {
      fresh = true
      return Buffer.from(`sk-local-${randomBytes(24).toString('base64url')}\n`)
    })
    return { key: Buffer.from(secret).toString('utf8').trim(), fresh }
  }

  get walletFile(): string {
    return join(this.dir, 'wallet')
  }

  /** Every channel of this folder, in no order. */
  async channels(): Promise<ChannelFolder[]> {
    return await readChannels(this.dir)
  }

  /** The channel of this address (raw), or the one that was made current last. @throws SidecarError ERR_SIDECAR_CHANNEL */
  async channel(address?: string): Promise<ChannelFolder> {
    return await findChannel(this.dir, address)
  }

  /** Keeps a channel and its key, before anybody is told of either. The folder appears as a whole. */
  add(record: ChannelRecord, key: KeyObject): Promise<ChannelFolder> {
    return this.#keep(record, { 'voucher-key': seedOf(key).toString('hex') })
  }

  /** The same for a channel that the gateway signs for. */
  addOwned(record: ChannelRecord, { owner, apiKey }: OwnerSecrets): Promise<ChannelFolder> {
    const secrets = { [OWNER_FILE]: Buffer.from(owner).toString('hex'), [API_KEY_FILE]: apiKey }
    return this.#keep({ ...record, signer: 'gateway' }, secrets)
  }

  async #keep(record: ChannelRecord, secrets: Record<string, string>): Promise<ChannelFolder> {
    const name = nameOf(channelAddress(record.params).toRawString())
    const dir = join(this.dir, 'channels', name)
    const temporary = join(this.dir, `.${name}.${randomBytes(8).toString('hex')}`)
    await ensurePrivateDir(temporary)
    for (const [file, secret] of Object.entries(secrets))
      await replaceFile(join(temporary, file), `${secret}\n`)
    await replaceFile(join(temporary, 'channel.json'), encode(record))
    await rename(temporary, dir)
    await syncFolder(join(this.dir, 'channels'))
    return new ChannelFolder(dir, record)
  }

  /** Pays by this channel from now on; its deposit is there. */
  async makeCurrent(channel: ChannelFolder): Promise<void> {
    await channel.markOpened()
    await replaceFile(join(this.dir, 'current'), `${channel.address}\n`)
  }

  close(): void {
    this.#unlock()
  }
}

/** Every channel of a folder that another process may hold. */
export async function readChannels(dir: string): Promise<ChannelFolder[]> {
  const names = await readdir(join(dir, 'channels')).catch(() => [] as string[])
  return await Promise.all(names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => read(dir, name)))
}

/** See {@link SidecarFolder.channel}. */
export async function findChannel(dir: string, address?: string): Promise<ChannelFolder> {
  const wanted = address ?? (await readFile(join(dir, 'current'), 'utf8').catch(() => '')).trim()
  if (wanted === '') {
    const forKeys = (await readChannels(dir)).filter(({ record }) => record.signer === 'gateway')
    const none = forKeys.length > 0 ? 'no channel but for API keys, to be named by --channel' : 'no channel'
    throw new SidecarError(
      'ERR_SIDECAR_CHANNEL',
      `there is ${none} in ${dir}; open one from your own wallet with chrysalis channel open, or from a wallet file with chrysalis sidecar open`,
    )
  }
  const found = (await readChannels(dir)).find((each) => each.address === wanted)
  if (found) return found
  throw new SidecarError('ERR_SIDECAR_CHANNEL', `${dir} has no channel ${wanted}`)
}

async function read(dir: string, name: string): Promise<ChannelFolder> {
  const file = join(dir, 'channels', name, 'channel.json')
  const refuse = (why: string) => new SidecarError('ERR_SIDECAR_STATE', `${file}: ${why}`)
  const text = await readFile(file, 'utf8').catch(() => '')
  const parsed = recordSchema.safeParse(parseJson(text))
  if (!parsed.success) throw new SidecarError('ERR_SIDECAR_STATE', firstIssue(parsed.error, file))
  const { params, slice, v: _, ...rest } = parsed.data
  const record = { ...rest, params: channelParamsFromJson(params), slice: BigInt(slice) }
  const channel = new ChannelFolder(join(dir, 'channels', name), record)
  if (nameOf(channel.address) !== name) throw refuse('not the channel that its folder is named after')
  return channel
}

function encode({ params, slice, ...rest }: ChannelRecord): string {
  const json = { v: 1, ...rest, params: channelParamsToJson(params), slice: slice.toString() }
  return `${JSON.stringify(json, undefined, 2)}\n`
}

function nameOf(address: string): string {
  return address.slice(address.indexOf(':') + 1)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
