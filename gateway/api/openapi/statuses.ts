/** What the statuses and headers of answers mean. */

export const STATUSES: Readonly<Record<number, string>> = {
  400: 'The request is wrong: `param` names the field, `message` what is wrong and what to do.',
  401: 'No API key, or a wrong one.',
  402: 'The channel cannot cover this request, or its payment does not hold. `PAYMENT-REQUIRED` says what would. `x-should-retry: false`.',
  403: 'No API key, a wrong one, or nothing left to pay with; or what the operator has switched off.',
  404: 'There is no such thing; `model_not_found` for a model.',
  408: 'The request arrived too slowly.',
  409: 'An idempotency key that was used for another body, or a payment that was used before.',
  413: 'The body is longer than this gateway takes.',
  415: 'The body is not JSON, or is encoded in a way that is not read.',
  429: 'Too many requests. `retry-after` says when to come back.',
  456: 'The channel behind the key cannot cover this request.',
  500: 'A fault of this server. Quote the request id.',
  502: 'The worker failed. What it had delivered is charged.',
  503: 'Nothing can serve this now. `retry-after` says when to come back.',
  504: 'The deadline of the request passed.',
}

const text = { type: 'string' }
const number = { type: 'integer' }

export const ANSWER_HEADERS = {
  'x-request-id': { description: 'Names this request; chosen by the gateway.', schema: text },
  'chrysalis-tee': {
    description: '`tdx`, or `simulated` where nothing is protected by hardware.',
    schema: { enum: ['tdx', 'simulated'] },
  },
  'chrysalis-receipt': { description: 'Of inference: the id for `GET /v1/receipts/{id}`.', schema: text },
  'payment-response': {
    description: 'Of a request that its client paid for: where its channel stands, base64 of JSON.',
    schema: text,
  },
  'idempotent-replayed': {
    description: '`true` when this is the answer of an earlier request.',
    schema: text,
  },
  'openai-processing-ms': { description: 'Milliseconds until the head of the answer.', schema: number },
  'x-ratelimit-limit-requests': {
    description: 'Requests that the key may make in a minute.',
    schema: number,
  },
  'x-ratelimit-remaining-requests': { description: 'Of those, how many are left.', schema: number },
  'x-ratelimit-reset-requests': { description: 'When all are there again, e.g. `1.5s`.', schema: text },
}

export const RETRY_AFTER = { 'retry-after': { description: 'Seconds.', schema: number } }
