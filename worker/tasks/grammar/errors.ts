/** What a client is told about a schema that cannot be a grammar. */

import { type ApiError, invalidRequest } from '../../protocol/errors.ts'

/** OpenAI's code for a schema that it cannot enforce. */
const CODE = 'invalid_json_schema'

/** 400: the schema is wrong, or asks for what no grammar here can promise. @param path of the keyword */
export function invalidSchema(path: string, problem: string): ApiError {
  return invalidRequest(path, `Invalid schema: '${path}' ${problem}.`, CODE)
}
