import { committedCode } from '../code.ts'
import compiled from './channel.code.json' with { type: 'json' }

/** SHA-256 representation hash of the channel's code, lower-case hexadecimal. */
export const CHANNEL_CODE_HASH: string = compiled.hash

/** The channel's code as committed. @throws ContractsError ERR_CONTRACT_CODE */
export const channelCode = committedCode(compiled, 'channel.code.json')
