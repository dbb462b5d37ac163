import { Cell, loadMessage, type Message } from '@ton/core'
import { ContractsError } from '../errors.ts'

/** The network takes no larger external message. */
const MAX_BYTES = 65_535

/** The network takes 512 levels of cells; the emulator's stack overflows at some 430; a batch of 255 messages has 258. */
const MAX_DEPTH = 320

/** @throws ContractsError ERR_CHAIN_REJECTED when the bytes are not an external message, or too many or too deep */
export function parseExternal(boc: Uint8Array): Message {
  if (boc.length > MAX_BYTES) {
    throw new ContractsError('ERR_CHAIN_REJECTED', `boc: at most ${MAX_BYTES} bytes`)
  }
  const cell = readCell(boc)
  if (cell.depth() > MAX_DEPTH) {
    throw new ContractsError('ERR_CHAIN_REJECTED', `boc: at most ${MAX_DEPTH} levels of cells`)
  }
  let message: Message
  try {
    message = loadMessage(cell.beginParse())
  } catch (cause) {
    throw new ContractsError('ERR_CHAIN_REJECTED', 'boc: not a message', { cause })
  }
  if (message.info.type !== 'external-in') {
    throw new ContractsError('ERR_CHAIN_REJECTED', 'boc: only external messages come from outside')
  }
  return message
}

function readCell(boc: Uint8Array): Cell {
  try {
    return Cell.fromBoc(Buffer.from(boc))[0] ?? Cell.EMPTY
  } catch (cause) {
    throw new ContractsError('ERR_CHAIN_REJECTED', 'boc: not a bag of cells', { cause })
  }
}
