/** The TON address that a worker is paid at. */

import { Address } from '@ton/core'
import { isZero } from '../bytes.ts'
import { printable } from '../inspect/text.ts'
import { ArgumentError } from './command.ts'

/** An address in the form that contracts use, and what its owner should know. */
export interface Owner {
  /** `0:hex`. */
  raw: string
  /** With a checksum and the kind of network, as wallets show it. */
  friendly: string
  /** Things that are not wrong, but seldom meant. */
  warnings: readonly string[]
}

/**
 * Reads an address in raw or in friendly form, base64 or base64url.
 * @throws ArgumentError when the form, the checksum or the workchain is wrong
 */
export function readOwner(flag: string, text: string): Owner {
  const shown = printable(text, 80)
  if (/^-?\d{1,3}:[0-9a-fA-F]{64}$/.test(text))
    return checked(flag, shown, Address.parseRaw(text.toLowerCase()), false)
  // Base64 of the same length with a wrong checksum is a slip of the pen, and worth its own sentence.
  if (!Address.isFriendly(text))
    throw new ArgumentError(
      `${flag} ${shown}: is no TON address; copy it whole from your wallet (EQ… or UQ…, or 0: and 64 hex digits)`,
    )
  try {
    const { address, isTestOnly } = Address.parseFriendly(text)
    return checked(flag, shown, address, isTestOnly)
  } catch (cause) {
    throw new ArgumentError(
      `${flag} ${shown}: its checksum is wrong, so a character is; copy the address whole from your wallet`,
      { cause },
    )
  }
}

function checked(flag: string, shown: string, address: Address, testOnly: boolean): Owner {
  if (address.workChain !== 0 && address.workChain !== -1)
    throw new ArgumentError(`${flag} ${shown}: is in workchain ${address.workChain}; wallets are in 0 or -1`)
  if (isZero(address.hash))
    throw new ArgumentError(`${flag} ${shown}: is the zero address, whose coins nobody can spend`)
  const warnings = testOnly ? ['the address is marked for test networks alone'] : []
  const friendly = address.toString({ bounceable: false, testOnly })
  return { raw: address.toRawString(), friendly, warnings }
}
