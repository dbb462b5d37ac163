import type { Context } from 'hono'
import { fromUtf8 } from '../../attest/bytes.ts'
import { invalidRequest, parseJsonObject, unsupportedMediaType } from '../../worker/protocol/index.ts'
import { readBody } from './body.ts'
import type { Env } from './route.ts'

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

/**
 * Reads the body of a face that takes `application/json` and `application/x-www-form-urlencoded` alike, within `limit`
 * bytes. A form's values are strings, a repeated name is an array of them.
 * @throws ApiError 400, 413, 415
 */
export async function readFormOrJson(c: Context<Env>, limit: number): Promise<Record<string, unknown>> {
  const type = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== FORM && type !== JSON_TYPE) throw unsupportedMediaType(JSON_TYPE, FORM)
  const bytes = await readBody(c, limit)
  if (type === JSON_TYPE) return parseJsonObject(bytes)
  return fieldsOf(new URLSearchParams(readText(bytes)))
}

/** In one pass: to ask a form for all values of each of its names takes the square of its length. */
function fieldsOf(form: URLSearchParams): Record<string, unknown> {
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of form) {
    const known = fields.get(name)
    if (Array.isArray(known)) known.push(value)
    else fields.set(name, known === undefined ? value : [known, value])
  }
  return Object.fromEntries(fields)
}

function readText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch {
    throw invalidRequest(null, 'The form is not UTF-8.', 'invalid_body')
  }
}
