/** Helpers for tests of requests. */

import { ApiError } from './errors.ts'

/** The refusal of `json`; throws when it was accepted, and any other error as it is. */
export function refusalOf(parse: (json: unknown) => unknown, json: unknown): ApiError {
  try {
    parse(json)
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error('accepted')
}

/** Both types have the same keys: checked by tsc where the result is assigned to `true`. */
export type SameKeys<A, B> = [Exclude<keyof A, keyof B>, Exclude<keyof B, keyof A>] extends [never, never]
  ? true
  : [Exclude<keyof A, keyof B>, Exclude<keyof B, keyof A>]
