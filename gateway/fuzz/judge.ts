/** What every answer has to be, whatever was asked. */

import type { Answer } from './connection.ts'
import { CANARY, type Face, LONG_NAME } from './routes.ts'

/** A message tells a field's path and a bound, never a body. */
const MAX_MESSAGE = 1024

/** Names of models, fields and paths are told back, clipped; changed bytes make a name of anything. */
const TELLS_A_NAME = /"code":"model_not_found"|"Unknown parameter: '|"Invalid URL \(|"Not found: /

/** Codes of errors that are about one field. */
const OF_A_FIELD =
  /^(unknown|missing_required|unsupported)_parameter$|^unsupported_value$|_(above_max|below_min)_|^empty_array$|^invalid_json_schema$/

/**
 * What is wrong with an answer; undefined when nothing is.
 * @param faces of which it may have the shape
 */
export function judge(answer: Answer, method: string, faces: readonly Face[]): string | undefined {
  const { status, headers, body } = answer
  if (status >= 500) return `status ${status}`
  if (!headers.has('x-request-id')) return 'no x-request-id'
  for (const value of headers.values()) if (value.includes(CANARY)) return 'a header holds what was sent'
  if (status < 400) return undefined
  if (body.includes(CANARY) && !TELLS_A_NAME.test(body)) return 'an error holds what was sent'
  if (body.includes(LONG_NAME.slice(0, 65))) return 'a name is told back whole'
  if (status === 405 && !headers.has('allow')) return '405 without allow'
  if (status === 429 && !headers.has('retry-after')) return '429 without retry-after'
  if (method === 'HEAD') return undefined
  if (!headers.get('content-type')?.startsWith('application/json')) return 'an error that is not JSON'
  const problems = faces.map((face) => wrongShape(parse(body), face))
  return problems.every((problem) => problem !== undefined) ? problems[0] : undefined
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function wrongShape(document: unknown, face: Face): string | undefined {
  if (face === 'deepl') return onlyMessage(document, 'message')
  if (face === 'libretranslate') return onlyMessage(document, 'error')
  const { error, ...others } = (document ?? {}) as { error?: Record<string, unknown> }
  if (typeof error !== 'object' || Object.keys(others).length > 0) return 'no envelope'
  if (Object.keys(error).sort().join() !== 'code,message,param,type') return 'not the four keys'
  const { message, type, param, code } = error
  if (typeof type !== 'string' || type === '') return 'no type'
  if (param !== null && typeof param !== 'string') return 'a wrong param'
  if (code !== null && typeof code !== 'string') return 'a wrong code'
  if (param === null && typeof code === 'string' && OF_A_FIELD.test(code)) return `${code} without param`
  return wrongMessage(message)
}

function onlyMessage(document: unknown, name: string): string | undefined {
  if (typeof document !== 'object' || document === null || Object.keys(document).join() !== name)
    return `not { ${name} }`
  return wrongMessage((document as Record<string, unknown>)[name])
}

function wrongMessage(message: unknown): string | undefined {
  if (typeof message !== 'string' || message === '') return 'no message'
  return message.length > MAX_MESSAGE ? `a message of ${message.length} characters` : undefined
}
