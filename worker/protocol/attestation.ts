/** `GET /v1/attestation`, which a gateway serves for itself and its workers, and a worker for itself. */

import { fromHex } from '../../attest/bytes.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import { clip, invalidRequest } from './errors.ts'

/** The path of it. */
export const ATTESTATION_PATH = '/v1/attestation'

/** What is answered. */
export interface AttestationAnswer {
  object: 'chrysalis.attestation'
  /** The caller's, lower-case hex; null when the evidence was made earlier, over the nonces in its bundles. */
  nonce: string | null
  gateway: EvidenceBundle | null
  workers: WorkerAttestation[]
  /** What could not be had. */
  errors: AttestationProblem[]
}

export interface WorkerAttestation {
  /** Hex of the worker's attested signing key. */
  id: string
  /** Ids of its models. */
  models: readonly string[]
  /** As the worker wrote it: no string of it was touched. */
  evidence: EvidenceBundle
}

export interface AttestationProblem {
  /** Null for what is about the gateway, or about no single worker. */
  worker: string | null
  code: string
  message: string
}

/** What a caller asks for. */
export interface AttestationQuery {
  /** 32 bytes. */
  nonce?: Uint8Array
  worker?: string
  model?: string
}

const NAMES = ['nonce', 'worker', 'model'] as const

/**
 * Reads the query. A name that is unknown, or there twice, is refused: whoever misspells `nonce` must not be handed old
 * evidence in silence.
 *
 * @param known the names that this server takes
 * @throws ApiError 400 that names the parameter
 */
export function readAttestationQuery(
  query: Readonly<Record<string, readonly string[]>>,
  known: readonly string[] = NAMES,
): AttestationQuery {
  for (const [name, values] of Object.entries(query)) {
    if (!known.includes(name)) {
      const message = `Unknown query parameter: ${clip(name)}. Known here: ${known.join(', ')}.`
      throw invalidRequest(clip(name), message, 'unknown_parameter')
    }
    if (values.length > 1)
      throw invalidRequest(name, `${name} is there twice. Give it once.`, 'invalid_value')
  }
  const [nonce, worker, model] = NAMES.map((name) => query[name]?.[0])
  return {
    ...(nonce !== undefined && { nonce: readNonce(nonce) }),
    ...(worker !== undefined && { worker }),
    ...(model !== undefined && { model }),
  }
}

/** A caller's nonce: exactly 32 bytes in hex. @throws ApiError 400 */
function readNonce(text: string): Uint8Array {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return fromHex(text.toLowerCase())
  const message = 'nonce must be exactly 32 bytes in hex, 64 digits. Take a new random one for each question.'
  throw invalidRequest('nonce', message, 'invalid_value')
}
