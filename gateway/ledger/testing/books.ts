/** A ledger with everything in it that a verification holds against each other: real channels, receipts, vouchers. */

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { Address } from '@ton/core'
import { toHex } from '../../../attest/bytes.ts'
import { receiptDigest, signReceipt } from '../../../attest/receipt/index.ts'
import { sampleDetails, sampleStatement } from '../../../attest/receipt/testing.ts'
import {
  type ChannelParams,
  channelAddress,
  channelParamsToJson,
  generateKey,
  LOCAL_GLOBAL_ID,
  rawPublicKey,
  signVoucher,
} from '../../../contracts/index.ts'
import type { Ledger } from '../ledger.ts'
import type { ApiKey, ChargeRequest, NewChannel } from '../types.ts'

const someone = () => new Address(0, randomBytes(32))

/** A channel with keys of its own. */
export interface TestChannel {
  id: string
  params: ChannelParams
  sign(ceiling: bigint): Uint8Array
}

export function testChannel(): TestChannel {
  const key = generateKey()
  const params: ChannelParams = {
    payer: someone(),
    payee: someone(),
    voucherKey: rawPublicKey(key),
    payeeKey: rawPublicKey(generateKey()),
    challengeSeconds: 3600,
    openUntil: 2_000_000_000,
    salt: randomBytes(32),
  }
  const channel = channelAddress(params)
  return {
    id: channel.toRawString(),
    params,
    sign: (ceiling) => signVoucher(key, { globalId: LOCAL_GLOBAL_ID, channel, ceiling }),
  }
}

/** The channels of a small gateway, and a worker that signs receipts. */
export class TestBooks {
  readonly delegated = testChannel()
  readonly clientSigned = testChannel()
  readonly worker = testChannel()
  readonly #workerKey = generateKeyPairSync('ed25519')

  /** The ledger's `signVoucher`. */
  readonly signVoucher = (channel: string, ceiling: bigint): Uint8Array => {
    const own = [this.delegated, this.worker].find(({ id }) => id === channel)
    if (!own) throw new Error('not a channel that the gateway signs')
    return own.sign(ceiling)
  }

  get workerRef() {
    const signingKey = toHex(rawPublicKey(this.#workerKey.publicKey))
    return { id: `${signingKey}/${this.worker.id}`, bootId: 'boot-1' }
  }

  charge(requestId: string, clientCharge: bigint, workerCharge: bigint): ChargeRequest {
    const statement = {
      ...sampleStatement,
      requestId,
      clientCharge: String(clientCharge),
      workerCharge: String(workerCharge),
    }
    const receipt = signReceipt(statement, sampleDetails, randomBytes(32), this.#workerKey.privateKey)
    const receiptDigestHex = receiptDigest(receipt)
    return {
      requestId,
      clientCharge,
      workerCharge,
      workerChannel: this.worker.id,
      receipt,
      receiptDigest: receiptDigestHex,
    }
  }

  #channel(
    channel: TestChannel,
    role: NewChannel['role'],
    signer: NewChannel['signer'] = 'gateway',
  ): NewChannel {
    const { id, params } = channel
    return {
      id,
      address: id,
      role,
      signer,
      params: JSON.stringify(channelParamsToJson(params)),
      deposited: 1000n,
    }
  }

  /** Opens the channels and makes a key. */
  async open(ledger: Ledger): Promise<{ key: ApiKey; account: ApiKey }> {
    await ledger.putChannel(this.#channel(this.delegated, 'client'))
    await ledger.putChannel(this.#channel(this.clientSigned, 'client', 'client'))
    await ledger.putChannel({ ...this.#channel(this.worker, 'worker'), deposited: 60n })
    const { key } = await ledger.keys.create({ name: 'test', channel: this.delegated.id })
    return { key, account: await ledger.keys.accountOf(this.clientSigned.id) }
  }

  /** Requests of every kind on both channels: charged alone and together, for nothing, released and open. */
  async fill(ledger: Ledger): Promise<void> {
    const { key, account } = await this.open(ledger)
    const { delegated, clientSigned } = this
    const reserve = (requestId: string, maxCharge: bigint, own = true) => {
      const [channel, by] = own ? [delegated.id, key.id] : [clientSigned.id, account.id]
      return ledger.reserve({ requestId, channel, key: by, worker: this.workerRef, maxCharge })
    }
    await ledger.acceptVoucher(clientSigned.id, 100n, clientSigned.sign(100n))
    for (const id of ['a', 'b', 'c', 'zero', 'released', 'open']) await reserve(id, 50n)
    for (const id of ['d', 'e']) await reserve(id, 50n, false)
    await ledger.charge(this.charge('a', 40n, 30n))
    await Promise.all([
      ledger.charge(this.charge('b', 20n, 10n)),
      ledger.charge(this.charge('d', 50n, 35n)),
      ledger.charge(this.charge('c', 10n, 10n)),
    ])
    await ledger.charge(this.charge('zero', 0n, 0n))
    await ledger.updateSettled(delegated.id, 30n)
    await ledger.updateDeposit(delegated.id, 1500n)
    await ledger.release('released', 'worker_lost')
    await ledger.updateDeposit(this.worker.id, 1000n)
    await ledger.acceptVoucher(clientSigned.id, 200n, clientSigned.sign(200n))
    await ledger.charge(this.charge('e', 45n, 40n))
    await ledger.keys.rotate(key.id, { graceMs: 60_000 })
  }
}
