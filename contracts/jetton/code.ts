import { committedCode } from '../code.ts'
import compiled from './jetton-channel.code.json' with { type: 'json' }

/** SHA-256 representation hash of the jetton channel's code, lower-case hexadecimal. */
export const JETTON_CHANNEL_CODE_HASH: string = compiled.hash

/** The jetton channel's code as committed. @throws ContractsError ERR_CONTRACT_CODE */
export const jettonChannelCode = committedCode(compiled, 'jetton-channel.code.json')
