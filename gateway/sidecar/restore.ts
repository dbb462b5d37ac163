/** A channel of which nothing is left but its voucher key and its address. */

import { type KeyObject, randomBytes } from 'node:crypto'
import type { Address } from '@ton/core'
import {
  ContractsError,
  channelAddress,
  channelParamsFromJson,
  rawPublicKey,
  signVoucher,
  X402_HEADERS,
} from '../../contracts/index.ts'
import { parse, readAll } from './client.ts'
import { SidecarError } from './errors.ts'
import type { ChannelFolder, SidecarFolder } from './folder.ts'
import { signedPayment } from './signer.ts'
import { readTerms } from './terms.ts'
import type { Upstream } from './upstream.ts'

export interface RestoreOptions {
  folder: SidecarFolder
  upstream: Upstream
  globalId: number
  address: Address
  key: KeyObject
  /** The largest slice that was ever used on it, nanotons: a higher one is safe, a lower one is not. */
  slice: bigint
  /** Wall clock, ms. */
  now: () => number
}

/**
 * Asks the gateway for the channel's parameters, which its address proves, and pays by it from now on. What was signed
 * and charged, the next start learns from the gateway's last voucher.
 *
 * @throws SidecarError ERR_GATEWAY, ERR_SIDECAR_CHANNEL
 */
export async function restoreChannel(options: RestoreOptions): Promise<ChannelFolder> {
  const { folder, upstream, globalId, address, key, slice, now } = options
  const { payee } = await readTerms(upstream, globalId)
  const id = address.toRawString()
  const path = `/v1/channels/${id}`
  const voucher = { ceiling: 0n, signature: signVoucher(key, { globalId, channel: address, ceiling: 0n }) }
  const body = new Uint8Array(0)
  const request = { method: 'GET', path, body, cap: 0n, id: randomBytes(16).toString('hex'), at: now() }
  const payment = signedPayment({ globalId, address, payee, key }, request, { channel: { id }, voucher })
  const answer = await upstream.send({
    ...{ method: 'GET', path },
    headers: { 'accept-encoding': 'identity', [X402_HEADERS.signature.toLowerCase()]: payment },
    signal: AbortSignal.timeout(30_000),
  })
  const { params } = (parse(await readAll(answer)) ?? {}) as { params?: unknown }
  if (answer.status !== 200)
    throw new SidecarError(
      'ERR_GATEWAY',
      `the gateway answers ${answer.status}, asked about the channel ${id}`,
    )
  const found = readParams(params)
  if (!channelAddress(found).equals(address))
    throw new SidecarError('ERR_SIDECAR_CHANNEL', 'the gateway shows the parameters of another channel')
  if (!rawPublicKey(key).equals(Buffer.from(found.voucherKey)))
    throw new SidecarError('ERR_SIDECAR_CHANNEL', 'the key is not the voucher key of this channel')
  const record = { gateway: upstream.origin.origin, globalId, params: found, slice }
  const channel = await folder.add(record, key)
  await folder.makeCurrent(channel)
  return channel
}

function readParams(json: unknown) {
  try {
    return channelParamsFromJson(json)
  } catch (cause) {
    if (!(cause instanceof ContractsError)) throw cause
    throw new SidecarError('ERR_GATEWAY', 'the gateway shows no parameters of the channel', { cause })
  }
}
