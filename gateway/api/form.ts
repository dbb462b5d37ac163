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

function fieldsOf(form: URLSearchParams): Record<string, unknown> {
  const names = new Set(form.keys())
  return Object.fromEntries(
    [...names].map((name) => {
      const values = form.getAll(name)
      return [name, values.length === 1 ? values[0] : values]
    }),
  )
}

function readText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch {
    throw invalidRequest(null, 'The form is not UTF-8.', 'invalid_body')
  }
}
