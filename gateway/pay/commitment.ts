import { createHash } from 'node:crypto'

const TAG = 'chrysalis/delegated-channel/1\n'

/** What a payer alone knows of a channel whose vouchers the gateway signs. */
export interface OwnerSecrets {
  /** 32 random bytes: whoever has them may end the channel, and nothing else. */
  owner: Uint8Array
  /** Secret of the API key that draws on it. */
  apiKey: string
}

/**
 * The salt (32 bytes) of such a channel. Its address follows from the salt, so a deposit is bound to these two secrets before
 * anybody has heard of it: nobody else can have a key made for it, and the gateway need not remember any order.
 */
export function saltOf({ owner, apiKey }: OwnerSecrets): Uint8Array {
  if (owner.length !== 32) throw new RangeError('owner: 32 bytes')
  return createHash('sha256').update(TAG).update(owner).update(apiKey, 'utf8').digest()
}
