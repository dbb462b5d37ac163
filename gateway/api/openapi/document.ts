/** The OpenAPI 3.1 document, made of the tables that read requests and of the schemas that answers are held against. */

import { failureSchema } from '../../../worker/protocol/documents/index.ts'
import { objectSchema } from '../../../worker/protocol/fields.ts'
import { readSoftware } from '../../../worker/protocol/index.ts'
import type { JsonSchema } from '../../../worker/protocol/readers.ts'
import { compatibleOperations } from './compatible.ts'
import { Components } from './components.ts'
import { delegatedOperations } from './delegated.ts'
import { gatewayOperations } from './gateway.ts'
import { inferenceOperations } from './inference.ts'
import type { Operation } from './operation.ts'
import { paymentOperations } from './payments.ts'
import { ANSWER_HEADERS, RETRY_AFTER, STATUSES } from './statuses.ts'

/** Every route, in the order in which they are told. */
export const operations: readonly Operation[] = [
  ...inferenceOperations,
  ...gatewayOperations,
  ...paymentOperations,
  ...delegatedOperations,
  ...compatibleOperations,
]

const TAGS = {
  OpenAI: "OpenAI's API: programs written for it work by changing the base URL.",
  Translation: 'Translation as a service of its own.',
  Trust: 'What you need in order not to trust this gateway.',
  Payment: 'Paying without an API key: x402 on TON channels that you sign for yourself.',
  Gateway: 'About this gateway.',
  DeepL: "DeepL's API: change `serverUrl`.",
  LibreTranslate: "LibreTranslate's API: change the address.",
}

const DESCRIPTION = `An OpenAI-compatible gateway whose prompts no machine owner can read: requests are sealed to attested workers.

Every answer carries \`x-request-id\` and \`chrysalis-tee\`. A field that is not listed here is refused with 400.

\`x-handling\` of a field says what is done with it: \`honoured\`; \`accepted\` (checked, and nothing is lost without it);
\`default-only\` (null and what asks for the same pass); \`refused\` (null passes).`

/** Builds the document. */
export function buildDocument() {
  const components = new Components()
  return {
    openapi: '3.1.0',
    info: {
      title: 'Chrysalis',
      version: readSoftware().version,
      summary: 'Confidential inference behind the OpenAI API',
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This gateway' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(components),
    components: {
      schemas: components.schemas,
      headers: { ...ANSWER_HEADERS, ...RETRY_AFTER },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key of this gateway. `x-api-key` and `api-key` are read, too.',
        },
        payment: {
          type: 'apiKey',
          in: 'header',
          name: 'PAYMENT-SIGNATURE',
          description: 'A payment as x402 has it, signed for this one request; see `GET /v1/payment`.',
        },
        deepl: {
          type: 'apiKey',
          in: 'header',
          name: 'authorization',
          description: '`DeepL-Auth-Key ` and an API key of this gateway.',
        },
        libretranslate: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key of this gateway; or as the field `api_key`.',
        },
      },
    },
  }
}

export type OpenApiDocument = ReturnType<typeof buildDocument>

function pathsOf(components: Components) {
  const described = operations.map((operation) => [operation, describe(operation, components)] as const)
  const byPath = Map.groupBy(described, ([{ path }]) => path)
  return Object.fromEntries(
    [...byPath].map(([path, here]) => [
      path,
      Object.fromEntries(here.map(([{ method }, description]) => [method, description])),
    ]),
  )
}

function describe(operation: Operation, components: Components) {
  const { id, tag, summary, about, key, parameters = [], request } = operation
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: about,
    security: securityOf(key),
    ...(parameters.length > 0 && {
      parameters: parameters.map(({ name, in: place, about: description, schema, example }) => ({
        name,
        in: place,
        required: place === 'path',
        description,
        schema,
        ...(example !== undefined && { example }),
      })),
    }),
    ...(request && { requestBody: bodyOf(request, components) }),
    responses: answersOf(operation, components),
  }
}

/** Where an API key is taken, a payment is, too. */
function securityOf(key: Operation['key']): Record<string, never[]>[] {
  if (!key) return []
  return key === 'bearer' ? [{ bearer: [] }, { payment: [] }] : [{ [key]: [] }]
}

function bodyOf({ name, table, forms, example }: NonNullable<Operation['request']>, components: Components) {
  const schema = components.refer({ title: name, ...objectSchema(table) })
  return {
    required: true,
    content: {
      'application/json': { schema, example },
      ...(forms && { 'application/x-www-form-urlencoded': { schema } }),
    },
  }
}

function answersOf(operation: Operation, components: Components): Record<string, object> {
  const { answer, events, errors, failure = failureSchema } = operation
  const refer = (schema: JsonSchema) => components.refer(schema)
  const success = {
    description: events ? `${answer.about} ${events.about}` : answer.about,
    headers: headersOf(Object.keys(ANSWER_HEADERS)),
    content: {
      'application/json': {
        schema: refer(answer.schema),
        ...(answer.example && { example: answer.example }),
      },
      // One `data:` line of the stream.
      ...(events && { 'text/event-stream': { schema: refer(events.schema) } }),
    },
  }
  const refusals = errors.map((status) => [
    String(status),
    {
      description: STATUSES[status] ?? '',
      headers: headersOf(['x-request-id', ...(status === 429 || status === 503 ? ['retry-after'] : [])]),
      content: { 'application/json': { schema: refer(failure) } },
    },
  ])
  return { 200: success, ...Object.fromEntries(refusals) }
}

function headersOf(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
