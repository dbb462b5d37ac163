/** The words in which a request is refused: OpenAI's, since agents and clients match them. No value is repeated. */

import { type ApiError, invalidRequest } from './errors.ts'

/** 400 for a value of the wrong type. An empty `path` is the request itself. */
export function invalidType(path: string, expected: string, value: unknown): ApiError {
  const subject = path === '' ? 'the request body' : `'${path}'`
  return invalidRequest(
    path === '' ? null : path,
    `Invalid type for ${subject}: expected ${expected}, but got ${describe(value)} instead.`,
    'invalid_type',
  )
}

/** 400 for a value outside a list. */
export function invalidChoice(path: string, choices: readonly unknown[]): ApiError {
  const list = choices.map((choice) => `'${String(choice)}'`).join(', ')
  return invalidRequest(path, `Invalid value for '${path}'. Supported values are: ${list}.`, 'invalid_value')
}

/** 400 for a field that the API does not have. */
export function unknownParameter(path: string): ApiError {
  return invalidRequest(path, `Unknown parameter: '${path}'.`, 'unknown_parameter')
}

/** 400 for a field that must be there. */
export function missingParameter(path: string): ApiError {
  return invalidRequest(path, `Missing required parameter: '${path}'.`, 'missing_required_parameter')
}

/** 400 for a field of the API that is not served at all. @param why a sentence */
export function unsupportedParameter(path: string, why: string): ApiError {
  return invalidRequest(
    path,
    `Unsupported parameter: '${path}' is not supported with this model. ${why} Leave it out.`,
    'unsupported_parameter',
  )
}

/**
 * 400 for a field of which only some values are served.
 * @param values those, as JSON joined by `or`
 * @param why a sentence
 */
export function unsupportedValue(path: string, values: string, why: string): ApiError {
  return invalidRequest(
    path,
    `Unsupported value: '${path}' does not support this value with this model. Only the default (${values}) value is supported. ${why}`,
    'unsupported_value',
  )
}

/** 400 for two fields that do not go together. */
export function invalidCombination(path: string, message: string): ApiError {
  return invalidRequest(path, message, 'invalid_parameter_combination')
}

/** 400 for a number outside its range. A number is not prompt text: it is told. */
export function numberOutOfRange(
  path: string,
  kind: 'integer' | 'decimal',
  side: 'above_max' | 'below_min',
  limit: number,
  value: number,
): ApiError {
  const high = side === 'above_max'
  return invalidRequest(
    path,
    `Invalid '${path}': ${kind} ${high ? 'above maximum' : 'below minimum'} value. Expected a value ${high ? '<=' : '>='} ${limit}, but got ${value} instead.`,
    `${kind}_${side}_value`,
  )
}

/** 400 for a string, array or object that is too long or too short. */
export function lengthOutOfRange(
  path: string,
  kind: 'string' | 'array' | 'object',
  side: 'above_max' | 'below_min',
  limit: number,
  length: number,
): ApiError {
  const high = side === 'above_max'
  if (kind === 'array' && length === 0) {
    return invalidRequest(
      path,
      `Invalid '${path}': empty array. Expected an array with minimum length ${limit}, but got an empty array instead.`,
      'empty_array',
    )
  }
  return invalidRequest(
    path,
    `Invalid '${path}': ${kind} too ${high ? 'long' : 'short'}. Expected ${article(kind)} with ${high ? 'maximum' : 'minimum'} length ${limit}, but got ${article(kind)} with length ${length} instead.`,
    `${kind}_${side}_length`,
  )
}

/** 400 for a string of the wrong form; `expected` is a noun phrase. */
export function invalidForm(path: string, expected: string): ApiError {
  return invalidRequest(path, `Invalid '${path}': expected ${expected}.`, 'invalid_value')
}

/** What a value is, without saying the value: `an array`, `a decimal`. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal'
  return value === undefined ? 'nothing' : article(typeof value)
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}
