import { type KeyObject, sign } from 'node:crypto'
import {
  type Address,
  beginCell,
  type Cell,
  external,
  type MessageRelaxed,
  SendMode,
  storeMessage,
} from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { createSeedFile, readSeedFile } from '../seed-file.ts'
import { privateKeyFromSeed, rawPublicKey } from '../voucher/keys.ts'
import { pauseOf, type WaitOptions } from './wait.ts'

/** How long a signed wallet message may wait for inclusion, in seconds. */
const VALIDITY_SECONDS = 60

/** Who sends messages: a {@link Wallet}, or somebody whose wallet is elsewhere and who has to be asked. */
export interface MessageSender {
  readonly address: Address
  /** How often to look for what a message brings about, where that is up to a person's patience. */
  readonly looks?: number
  /** Resolves when the messages are on their way. That says nothing of what the destinations do. */
  send(chain: Chain, messages: MessageRelaxed[], wait?: WaitOptions): Promise<void>
}

const WALLET_FILE = {
  code: 'ERR_WALLET_FILE',
  name: 'wallet key file',
  cure: 'move what the wallet holds to a new one, or chmod 600 it if nobody has',
}

/**
 * A W5R1 wallet whose key is a file of mode 0600. Its wallet id holds the network's global_id, so that its messages
 * are good for that network only. One message at a time is under way.
 */
export class Wallet implements MessageSender {
  readonly address: Address
  /** The private key. */
  readonly key: KeyObject
  readonly globalId: number
  private readonly contract: WalletContractV5R1
  private tail: Promise<unknown> = Promise.resolve()

  private constructor(key: KeyObject, globalId: number) {
    this.key = key
    this.globalId = globalId
    this.contract = WalletContractV5R1.create({
      workchain: 0,
      publicKey: rawPublicKey(key),
      walletId: { networkGlobalId: globalId },
    })
    this.address = this.contract.address
  }

  /** The wallet of a 32-byte seed, on the network `globalId`. */
  static fromSeed(seed: Uint8Array, globalId: number): Wallet {
    return new Wallet(privateKeyFromSeed(seed), globalId)
  }

  /**
   * The wallet whose seed is in `file`; a new key is made, and synced to disk, when there is none.
   * @throws ContractsError ERR_WALLET_FILE when the file holds anything else, or others can read it
   */
  static async open(file: string, globalId: number): Promise<Wallet> {
    try {
      return Wallet.fromSeed(await readSeedFile(file, WALLET_FILE), globalId)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    // When another process was first, its key counts: money may lie on its address.
    await createSeedFile(file)
    return Wallet.fromSeed(await readSeedFile(file, WALLET_FILE), globalId)
  }

  /** Nanotons on the wallet. */
  async balance(chain: Chain): Promise<bigint> {
    return (await chain.account(this.address)).balance
  }

  /**
   * Sends up to 255 messages in one external message and waits until the wallet has carried it out (its seqno grew).
   * That says nothing of what the destinations did: read their state back.
   * @throws ContractsError ERR_WALLET_FUNDS, ERR_WALLET_EXPIRED (not included in time), ERR_CHAIN_REJECTED
   */
  send(chain: Chain, messages: MessageRelaxed[], wait: WaitOptions = {}): Promise<void> {
    const result = this.tail.then(
      () => this.sendNow(chain, messages, wait),
      () => this.sendNow(chain, messages, wait),
    )
    this.tail = result.catch(() => undefined)
    return result
  }

  /** The next seqno, 0 for a wallet that is not deployed yet. */
  async seqno(chain: Chain): Promise<number> {
    const { data } = await chain.account(this.address)
    // W5R1 data begins  is_signature_allowed:Bool seqno:uint32; reading it spares a call of the get method.
    return data ? data.beginParse().skip(1).loadUint(32) : 0
  }

  /** The signed external message that sends `messages`. `validUntil` is Unix seconds. */
  async externalMessage(messages: MessageRelaxed[], seqno: number, validUntil: number): Promise<Cell> {
    const body = await this.contract.createTransfer({
      seqno,
      messages,
      sendMode: SendMode.PAY_GAS_SEPARATELY | SendMode.IGNORE_ERRORS,
      timeout: validUntil,
      signer: async (message: Cell) => sign(null, message.hash(), this.key),
    })
    const init = seqno === 0 ? this.contract.init : undefined
    return beginCell()
      .store(storeMessage(external({ to: this.address, body, ...(init ? { init } : {}) })))
      .endCell()
  }

  private async sendNow(chain: Chain, messages: MessageRelaxed[], wait: WaitOptions): Promise<void> {
    if (chain.globalId !== this.globalId) {
      throw new ContractsError(
        'ERR_WALLET_NETWORK',
        `wallet of network ${this.globalId}, chain ${chain.globalId}`,
      )
    }
    await this.requireFunds(chain, messages)
    const before = await this.seqno(chain)
    const validUntil = (await chain.now()) + VALIDITY_SECONDS
    const boc = (await this.externalMessage(messages, before, validUntil)).toBoc()
    // The same bytes may be handed in again and again: the seqno lets them work once.
    for (;;) {
      const refusal = await chain.send(boc).then(
        () => undefined,
        (error: unknown) => error,
      )
      if ((await this.seqno(chain)) > before) return
      if (refusal instanceof ContractsError && refusal.code === 'ERR_CHAIN_REJECTED') throw refusal
      if ((await chain.now()) > validUntil) {
        throw new ContractsError(
          'ERR_WALLET_EXPIRED',
          'the network did not take the wallet message in time',
          {
            cause: refusal,
          },
        )
      }
      await pauseOf(wait)
    }
  }

  /** The wallet drops, without a word, messages that it cannot pay: look first. */
  private async requireFunds(chain: Chain, messages: MessageRelaxed[]): Promise<void> {
    let needed = 0n
    for (const { info } of messages) if (info.type === 'internal') needed += info.value.coins
    const balance = await this.balance(chain)
    if (balance > needed) return
    throw new ContractsError(
      'ERR_WALLET_FUNDS',
      `the wallet holds ${balance} nanotons, ${needed} and fees are needed`,
    )
  }
}
