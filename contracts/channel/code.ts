import { Cell } from '@ton/core'
import { ContractsError } from '../errors.ts'
import compiled from './channel.code.json' with { type: 'json' }

/** SHA-256 representation hash of the channel's code, lower-case hexadecimal. */
export const CHANNEL_CODE_HASH: string = compiled.hash

let code: Cell | undefined

/** The channel's code as committed; running needs no compiler. contracts/README.md says how to compile it again. */
export function channelCode(): Cell {
  if (code) return code
  const cell = Cell.fromBase64(compiled.code)
  if (cell.hash().toString('hex') !== CHANNEL_CODE_HASH) {
    throw new ContractsError('ERR_CHANNEL_CODE', 'channel.code.json: code and hash do not belong together')
  }
  code = cell
  return code
}
