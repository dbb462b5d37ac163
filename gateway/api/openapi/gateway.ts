/** The routes that this gateway answers by itself. */

import { modelSchema, modelsSchema } from '../../../worker/protocol/documents/index.ts'
import {
  about,
  amount,
  anyMap,
  list,
  literal,
  nullable,
  record,
  string,
} from '../../../worker/protocol/documents/schema.ts'
import type { Operation } from './operation.ts'

const text = { type: 'string' }

export const storedReceipt = {
  title: 'StoredReceipt',
  ...record(
    {
      id: about(string, 'Of the request.'),
      object: literal('receipt'),
      receipt: about(
        record({ payload: string, signature: string }),
        "The worker enclave's signed receipt, exactly as signed: base64url.",
      ),
      digest: string,
      signing_key: about(string, "Hex of the enclave's key, which its evidence names."),
      charged: about(amount, 'Nanotons.'),
    },
    {
      quote: about(string, 'Base64url of the price list that the receipt names by its digest.'),
      details: about(string, 'Base64url of the token counts that it commits to; of recent requests.'),
      blind: about(string, 'Base64url of what opens that commitment.'),
    },
  ),
}

const attestation = {
  title: 'Attestation',
  ...record({
    object: literal('chrysalis.attestation'),
    nonce: about(nullable(string), "The caller's; null when the evidence was made earlier."),
    gateway: about(nullable(anyMap), 'The evidence bundle of this gateway.'),
    workers: list(record({ id: string, models: list(string), evidence: anyMap })),
    errors: list(record({ worker: nullable(string), code: string, message: string })),
  }),
}

const health = (id: string, path: string, summary: string, status: string): Operation => ({
  method: 'get',
  path,
  id,
  tag: 'Gateway',
  summary,
  about: 'Needs no key.',
  answer: { about: 'Yes.', schema: record({ status: literal(status) }), example: { status } },
  errors: status === 'ready' ? [503] : [],
  failure: { title: 'NotReady', ...record({ status: literal('unavailable'), missing: list(string) }) },
})

export const gatewayOperations: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/models',
    id: 'listModels',
    tag: 'OpenAI',
    summary: 'Models',
    about: 'What verified workers serve now, with context length, price and the digest of the weights.',
    key: 'bearer',
    answer: { about: 'Models and aliases.', schema: modelsSchema },
    errors: [401, 429],
  },
  {
    method: 'get',
    path: '/v1/models/{id}',
    id: 'retrieveModel',
    tag: 'OpenAI',
    summary: 'One model',
    about: 'By its name or an alias; a slash in it may be encoded or not.',
    key: 'bearer',
    parameters: [
      { name: 'id', in: 'path', about: 'Name or alias.', schema: text, example: 'chrysalis/tiny' },
    ],
    answer: { about: 'The model.', schema: modelSchema },
    errors: [401, 404, 429],
  },
  {
    method: 'get',
    path: '/v1/receipts/{id}',
    id: 'retrieveReceipt',
    tag: 'Trust',
    summary: 'Receipt of a request',
    about:
      'The signed receipt, for the key that asked or a key of the channel that paid. `attest receipt` checks it.',
    key: 'bearer',
    parameters: [
      { name: 'id', in: 'path', about: 'The `chrysalis-receipt` header of the answer.', schema: text },
    ],
    answer: { about: 'The receipt.', schema: storedReceipt },
    errors: [401, 404, 429],
  },
  {
    method: 'get',
    path: '/v1/attestation',
    id: 'retrieveAttestation',
    tag: 'Trust',
    summary: 'Evidence',
    about:
      "Evidence of this gateway and of its workers, for everybody. It is nobody's word but that of the bundles: judge them with `attest verify`.",
    parameters: [
      {
        name: 'nonce',
        in: 'query',
        about: '32 random bytes in hex: every bundle is then made for it.',
        schema: { type: 'string', pattern: '^[0-9a-fA-F]{64}$' },
      },
      { name: 'worker', in: 'query', about: 'Only this worker.', schema: text },
      { name: 'model', in: 'query', about: 'Only workers of this model.', schema: text },
    ],
    answer: { about: 'Evidence.', schema: attestation },
    errors: [400, 404, 429, 503, 504],
  },
  health('isAlive', '/healthz', 'Alive', 'ok'),
  health('isReady', '/readyz', 'Ready to serve', 'ready'),
  {
    method: 'get',
    path: '/openapi.json',
    id: 'openapi',
    tag: 'Gateway',
    summary: 'This document',
    about: 'Made of the tables that read requests. A page of it for people is at `/reference`.',
    answer: { about: 'OpenAPI 3.1.', schema: anyMap },
    errors: [],
  },
]
