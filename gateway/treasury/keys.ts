import { type KeyObject, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Address } from '@ton/core'
import {
  privateKeyFromSeed,
  type ReleaseTerms,
  rawPublicKey,
  signRelease,
  signVoucher,
  Wallet,
} from '../../contracts/index.ts'
import { ensurePrivateDir, openSecret } from '../data/index.ts'
import type { ChannelRole } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'

/** Where the delegated voucher key is kept. */
export type DelegatedKeyPlace = 'file' | 'memory'

/**
 * Every private key that moves the gateway's money, each a 32-byte seed in a 0600 file. Outside a TDX guest that is
 * where the delegated voucher key of client channels lives too, so that a restart keeps its channel: who reads this
 * folder can spend what clients deposited. Inside a guest, whose disk is the host's, it is made at every start and
 * never leaves memory.
 */
export class TreasuryKeys {
  readonly globalId: number
  /** Where the delegated voucher key is: in a file others may get at, or nowhere but here. */
  readonly delegated: DelegatedKeyPlace
  /** Receives what client channels settle, and pays into the channels of workers. */
  readonly gateway: Wallet
  /** The demonstration's client, which pays into the client channel. */
  readonly payer: Wallet
  readonly #vouchers: Readonly<Record<ChannelRole, KeyObject>>
  readonly #release: KeyObject
  readonly #roles = new Map<string, ChannelRole>()

  private constructor(
    globalId: number,
    delegated: DelegatedKeyPlace,
    seeds: Record<(typeof NAMES)[number], Uint8Array>,
  ) {
    this.globalId = globalId
    this.delegated = delegated
    this.gateway = Wallet.fromSeed(seeds['gateway-wallet'], globalId)
    this.payer = Wallet.fromSeed(seeds['payer-wallet'], globalId)
    this.#vouchers = {
      client: privateKeyFromSeed(seeds['client-vouchers']),
      worker: privateKeyFromSeed(seeds['worker-vouchers']),
    }
    this.#release = privateKeyFromSeed(seeds['client-release'])
  }

  /**
   * Reads the keys in `dir`, and makes those that are missing.
   *
   * @param globalId of the network that the keys are used on; part of every wallet's address and every signature
   * @param delegated `memory`: a new key for the vouchers of client channels, whatever `dir` holds
   * @throws DataError `ERR_SECRET_MODE` when other users can reach a key
   */
  static async open(
    dir: string,
    globalId: number,
    delegated: DelegatedKeyPlace = 'file',
  ): Promise<TreasuryKeys> {
    await ensurePrivateDir(dir)
    const open = (name: (typeof NAMES)[number]) =>
      name === DELEGATED && delegated === 'memory' ? randomBytes(32) : openSeed(join(dir, name))
    const seeds = await Promise.all(NAMES.map(async (name) => [name, await open(name)] as const))
    const made = Object.fromEntries(seeds) as Record<(typeof NAMES)[number], Uint8Array>
    const keys = new TreasuryKeys(globalId, delegated, made)
    for (const [, seed] of seeds) seed.fill(0)
    return keys
  }

  /** The public key (32 bytes) that signs vouchers of channels of this kind. */
  voucherKey(role: ChannelRole): Uint8Array {
    return rawPublicKey(this.#vouchers[role])
  }

  /** Whether a channel of this kind takes vouchers that are signed here. */
  holds(role: ChannelRole, voucherKey: Uint8Array): boolean {
    return Buffer.from(this.voucherKey(role)).equals(voucherKey)
  }

  /** The public key (32 bytes) with which the gateway, as payee, agrees to close a client channel. */
  releaseKey(): Uint8Array {
    return rawPublicKey(this.#release)
  }

  /** From now on vouchers of this channel may be signed, with the key of its kind. */
  admit(channel: string, role: ChannelRole): void {
    this.#roles.set(channel, role)
  }

  /** Signs a voucher; this is the ledger's `signVoucher`. */
  signVoucher(channel: string, ceiling: bigint): Uint8Array {
    const role = this.#roles.get(channel)
    if (!role)
      throw new TreasuryError('ERR_TREASURY_KEY', `channel ${channel} was not set up with these keys`)
    return signVoucher(this.#vouchers[role], {
      globalId: this.globalId,
      channel: Address.parseRaw(channel),
      ceiling,
    })
  }

  /** Agrees to close a client channel at once, with `amount` nanotons in all for the gateway. */
  signRelease(terms: Omit<ReleaseTerms, 'globalId'>): Uint8Array {
    return signRelease(this.#release, { ...terms, globalId: this.globalId })
  }
}

const DELEGATED = 'client-vouchers'
const NAMES = ['gateway-wallet', 'payer-wallet', DELEGATED, 'worker-vouchers', 'client-release'] as const

async function openSeed(path: string): Promise<Uint8Array> {
  const seed = await openSecret(path, () => randomBytes(32))
  if (seed.length === 32) return seed
  throw new TreasuryError('ERR_TREASURY_KEY', `key file ${path} has ${seed.length} bytes instead of 32`)
}
