import { Cell, loadMessage, type Message } from '@ton/core'
import { ContractsError } from '../errors.ts'

/** @throws ContractsError ERR_CHAIN_REJECTED when the bytes are not an external message */
export function parseExternal(boc: Uint8Array): Message {
  let message: Message
  try {
    message = loadMessage((Cell.fromBoc(Buffer.from(boc))[0] ?? Cell.EMPTY).beginParse())
  } catch (cause) {
    throw new ContractsError('ERR_CHAIN_REJECTED', 'boc: not a message', { cause })
  }
  if (message.info.type !== 'external-in') {
    throw new ContractsError('ERR_CHAIN_REJECTED', 'boc: only external messages come from outside')
  }
  return message
}
