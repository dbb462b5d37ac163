/** From one HPKE context to the keys of a request and of its response. */

import { concat, fromHex } from '../bytes.ts'
import { hkdfSha256, sha256 } from '../crypto.ts'
import type { Exporter } from '../epoch/kem.ts'
import { KEY_BYTES, LABEL, PREFIX_BYTES, SECRETS_BYTES } from './constants.ts'

/** Key, nonce prefix and commitment of one direction. */
export interface StreamSecrets {
  readonly key: Uint8Array
  readonly prefix: Uint8Array
  readonly commit: Uint8Array
}

/** info = "chrysalis/seal/1" || 00 || epochId[16] || claimsDigest[32]. */
export function sealInfo(epochId: string, claimsDigest: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(LABEL.seal, fromHex(epochId), claimsDigest)
}

/** Export("request" || 00 || h, 80) as key || prefix || commit. */
export async function requestSecrets(exporter: Exporter, h: Uint8Array): Promise<StreamSecrets> {
  return split(await exporter.export(concat(LABEL.request, h), SECRETS_BYTES))
}

/** rsec = Export("response" || 00 || h, 32). */
export function responseSecret(exporter: Exporter, h: Uint8Array): Promise<Uint8Array> {
  return exporter.export(concat(LABEL.response, h), 32)
}

/** HKDF(salt = enc || rnonce, ikm = rsec, "chrysalis/response/1", 80) as key || prefix || commit. */
export function responseSecrets(rsec: Uint8Array, enc: Uint8Array, rnonce: Uint8Array): StreamSecrets {
  return split(hkdfSha256(rsec, concat(enc, rnonce), LABEL.responseInfo, SECRETS_BYTES))
}

/** "chrysalis/request-auth/1" || 00 || h || SHA-256(enc): what the payer's key signs. */
export function authMessage(h: Uint8Array, enc: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(LABEL.auth, h, sha256(enc))
}

/** T0 = SHA-256("chrysalis/transcript/1" || 00 || SHA-256(request) || rnonce || commit). */
export function transcriptStart(
  requestHash: Uint8Array,
  rnonce: Uint8Array,
  commit: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return sha256(LABEL.transcript, requestHash, rnonce, commit)
}

/** T(i+1) = SHA-256(Ti || u32be(len) || box), over the wire bytes of one non-final frame. */
export function transcriptNext(transcript: Uint8Array, wire: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(transcript, wire)
}

function split(secrets: Uint8Array): StreamSecrets {
  return {
    key: secrets.subarray(0, KEY_BYTES),
    prefix: secrets.subarray(KEY_BYTES, KEY_BYTES + PREFIX_BYTES),
    commit: secrets.subarray(KEY_BYTES + PREFIX_BYTES),
  }
}
