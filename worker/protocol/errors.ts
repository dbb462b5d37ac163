/** OpenAI-shaped errors: what a client of the HTTP face sees, made by the worker or by the gateway. */

import { ChrysalisError } from '../../attest/errors.ts'

/** The four keys that OpenAI's error object always has. */
export interface ApiErrorObject {
  message: string
  type: string
  param: string | null
  code: string | null
}

export interface ApiErrorInit {
  /** HTTP status, 400-599. */
  status: number
  message: string
  type: string
  param?: string | null
  /** OpenAI's `code`; kept apart from `ChrysalisError.code`, which is always `ERR_API` here. */
  apiCode?: string | null
  /** Response headers that belong to this error, e.g. `retry-after`. Lower-case names. */
  headers?: Record<string, string>
  cause?: unknown
}

/** An outcome to tell a client in OpenAI's words. The message never holds prompt text. */
export class ApiError extends ChrysalisError {
  readonly status: number
  readonly type: string
  readonly param: string | null
  readonly apiCode: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(init: ApiErrorInit) {
    super('ERR_API', init.message, init.cause === undefined ? undefined : { cause: init.cause })
    this.status = init.status
    this.type = init.type
    this.param = init.param ?? null
    this.apiCode = init.apiCode ?? null
    this.headers = { ...init.headers }
  }

  /** The object under `error`, as the sealed final frame carries it. */
  object(): ApiErrorObject {
    return { message: this.message, type: this.type, param: this.param, code: this.apiCode }
  }

  /** The whole response body. */
  toJSON(): { error: ApiErrorObject } {
    return { error: this.object() }
  }
}

/** 400: the request is wrong at `param`. */
export function invalidRequest(
  param: string | null,
  message: string,
  apiCode: string | null = null,
): ApiError {
  return new ApiError({ status: 400, type: 'invalid_request_error', message, param, apiCode })
}

/** 400: the prompt is longer than the model, or the bound that was paid for, allows. Agents match this text. */
export function contextLengthExceeded(limit: number, promptTokens: number, param = 'messages'): ApiError {
  return invalidRequest(
    param,
    `This model's maximum context length is ${limit} tokens. However, your ${param} resulted in ${promptTokens} tokens. ` +
      `Please reduce the length of the ${param}.`,
    'context_length_exceeded',
  )
}

/** 401: no key or a wrong one. `given` is whether the request carried any key; the key is never echoed. */
export function unauthorized(given: boolean): ApiError {
  const message = given
    ? 'Incorrect API key provided. Use the key that the server printed or that its operator gave you.'
    : "You didn't provide an API key. Provide it in an Authorization header using Bearer auth (Authorization: Bearer YOUR_KEY)."
  return new ApiError({
    status: 401,
    type: 'invalid_request_error',
    message,
    apiCode: given ? 'invalid_api_key' : null,
    headers: { 'www-authenticate': 'Bearer' },
  })
}

/** 402: the channel behind the key cannot cover this request; SDKs are told not to retry. */
export function insufficientQuota(message: string): ApiError {
  return new ApiError({
    status: 402,
    type: 'insufficient_quota',
    message,
    apiCode: 'insufficient_quota',
    headers: { 'x-should-retry': 'false' },
  })
}

/** 404: no such thing (a URL, a receipt). */
export function notFound(
  message: string,
  apiCode: string | null = null,
  param: string | null = null,
): ApiError {
  return new ApiError({ status: 404, type: 'invalid_request_error', message, apiCode, param })
}

/** 404: the model is unknown here. */
export function modelNotFound(model: string): ApiError {
  return notFound(
    `The model \`${clip(model)}\` does not exist or you do not have access to it.`,
    'model_not_found',
    'model',
  )
}

/** 405, naming the methods that do work. */
export function methodNotAllowed(method: string, path: string, allow: readonly string[]): ApiError {
  return new ApiError({
    status: 405,
    type: 'invalid_request_error',
    message: `Not allowed to ${clip(method)} on ${clip(path)}. Use ${allow.join(' or ')}.`,
    apiCode: 'method_not_supported',
    headers: { allow: allow.join(', ') },
  })
}

/** 409: a request id that was already used for other bytes. */
export function conflict(message: string, apiCode = 'request_id_conflict'): ApiError {
  return new ApiError({ status: 409, type: 'invalid_request_error', message, apiCode })
}

/** 413: the body is longer than `limit` bytes. */
export function bodyTooLarge(limit: number): ApiError {
  return new ApiError({
    status: 413,
    type: 'invalid_request_error',
    message: `Request body too large. The limit is ${limit} bytes; send a shorter request.`,
    apiCode: 'request_too_large',
  })
}

/** 415: bodies of these types are read, by default JSON only. */
export function unsupportedMediaType(...types: readonly string[]): ApiError {
  const accepted = types.length === 0 ? ['application/json'] : types
  return new ApiError({
    status: 415,
    type: 'invalid_request_error',
    message: `Unsupported content type. Send the body with 'Content-Type: ${accepted.join("' or '")}'.`,
    apiCode: 'unsupported_media_type',
  })
}

/** 429 with Retry-After (whole seconds, at least 1). */
export function rateLimited(
  message: string,
  retryAfterSeconds: number,
  apiCode = 'rate_limit_exceeded',
): ApiError {
  return new ApiError({
    status: 429,
    type: 'rate_limit_error',
    message,
    apiCode,
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) },
  })
}

/** 500 without any detail of what went wrong inside. */
export function internalError(cause?: unknown): ApiError {
  return new ApiError({
    status: 500,
    type: 'server_error',
    message:
      'The server had an error while processing your request. Try again; if it persists, quote the request id.',
    cause,
  })
}

/** 503: nothing can serve this now; SDKs retry it. */
export function unavailable(message: string, apiCode: string, retryAfterSeconds?: number): ApiError {
  return new ApiError({
    status: 503,
    type: 'server_error',
    message,
    apiCode,
    ...(retryAfterSeconds !== undefined && {
      headers: { 'retry-after': String(Math.ceil(retryAfterSeconds)) },
    }),
  })
}

/** 504: the deadline of the request passed. */
export function timedOut(message = 'The request took longer than its deadline allows.'): ApiError {
  return new ApiError({ status: 504, type: 'timeout_error', message, apiCode: 'timeout' })
}

/** Shortens what a client sent (a field or model name) for use in a message to that same client. */
export function clip(text: string, length = 64): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`
}
