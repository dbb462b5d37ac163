import type { KeyObject } from 'node:crypto'
import type { Address } from '@ton/core'
import {
  ContractsError,
  channelAddress,
  channelParamsFromJson,
  isTombstone,
  type ChannelState as OnChain,
  publicKeyObject,
} from '../../../contracts/index.ts'
import { same, type Tell } from './differences.ts'
import type { ChannelAtStart } from './pages.ts'

/** A channel with the key that its vouchers are held against; null when its parameters are not to be read. */
export interface KnownChannel extends ChannelAtStart {
  address: Address | null
  voucherKey: KeyObject | null
}

/** Checks what a channel says of itself: its parameters against its address, its sums against each other. */
export function checkChannel(channel: ChannelAtStart, tell: Tell): KnownChannel {
  const { record, signed, accepted, held, highest } = channel
  const { id, role, signer, deposited, settled, charged, reserved, ceiling } = record
  const about = `channel ${id}`
  same(tell, about, 'reserved', reserved, role === 'client' ? held : 0n)
  same(tell, about, 'the ceiling', ceiling, highest)
  same(
    tell,
    about,
    signer === 'client' ? 'what the gateway signed' : 'what the client signed',
    signer === 'client' ? signed : accepted,
    0n,
  )
  if (role === 'worker' && signer === 'client') tell(about, 'a worker’s channel that its client signs')
  if (role === 'client' && charged + reserved > deposited) {
    tell(about, `charged ${charged} and reserved ${reserved} pass the deposit of ${deposited}`)
  }
  if (signer === 'client' && charged + reserved > ceiling) {
    tell(about, `charged ${charged} and reserved ${reserved} pass the voucher over ${ceiling}`)
  }
  if (signer === 'gateway' && ceiling > charged) tell(about, `signed ${ceiling}, and charged ${charged} only`)
  if (ceiling > deposited) tell(about, `the ceiling of ${ceiling} passes the deposit of ${deposited}`)
  if (settled > charged) {
    tell(
      about,
      `${settled} were settled, and ${charged} charged: this is not the newest ledger, or too much was taken`,
    )
  }
  return { ...channel, ...readParams(record.params, record.address, about, tell) }
}

function readParams(
  json: string,
  address: string,
  about: string,
  tell: Tell,
): Pick<KnownChannel, 'address' | 'voucherKey'> {
  try {
    const params = channelParamsFromJson(JSON.parse(json))
    const own = channelAddress(params)
    same(tell, about, 'the address', address, own.toRawString())
    return { address: own, voucherKey: publicKeyObject(params.voucherKey) }
  } catch (error) {
    const why = error instanceof ContractsError ? error.message : 'not JSON'
    tell(about, `its parameters cannot be read (${why})`)
    return { address: null, voucherKey: null }
  }
}

/** Holds a channel against the chain, whose numbers only rise: the ledger may lag behind it, and never be ahead. */
export function checkOnChain(channel: KnownChannel, onChain: OnChain | undefined, tell: Tell): void {
  const { id, state, deposited, settled, charged } = channel.record
  const about = `channel ${id}`
  // A close by agreement, paid to the nanoton: the next look notes it.
  if (onChain && isTombstone(onChain) && state === 'closing' && onChain.settled === charged) return
  if (!onChain || isTombstone(onChain)) {
    if (state !== 'closed' && deposited > 0n) tell(about, `the chain has it no more, and here it is ${state}`)
    return
  }
  if (onChain.settled > charged) {
    tell(
      about,
      `the chain has settled ${onChain.settled}, and ${charged} were charged: this is not the newest ledger`,
    )
  }
  if (settled > onChain.settled) {
    tell(about, `${settled} are noted as settled, and the chain has settled ${onChain.settled}`)
  }
  if (deposited > onChain.deposited) {
    tell(about, `${deposited} are noted as deposited, and the chain has ${onChain.deposited}`)
  }
}
