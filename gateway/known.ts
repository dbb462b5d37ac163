import { ChrysalisError } from '../attest/errors.ts'
import { ContractsError } from '../contracts/errors.ts'

/**
 * Whether an error is a refusal of ours, whose message is a sentence for a person. Errors of contracts have their own
 * base, since contracts imports nothing of ours. Of anything else only `codeOf` may be told.
 */
export function isKnown(error: unknown): error is ChrysalisError | ContractsError {
  return error instanceof ChrysalisError || error instanceof ContractsError
}
