import { committedCode } from '../code.ts'
import compiled from './registry.code.json' with { type: 'json' }

/** SHA-256 representation hash of the registry's code, lower-case hexadecimal. */
export const REGISTRY_CODE_HASH: string = compiled.hash

/** The registry's code as committed. @throws ContractsError ERR_CONTRACT_CODE */
export const registryCode = committedCode(compiled, 'registry.code.json')
