/** PEM certificate chains, canonical only: what is not exactly what we would write is refused. */

import { fromBase64, fromUtf8, toBase64 } from '../bytes.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { X509Error } from './der.ts'
import type { Curve } from './ecdsa.ts'
import { Bounded } from './memory.ts'

const BEGIN = '-----BEGIN CERTIFICATE-----\n'
const END = '\n-----END CERTIFICATE-----\n'

/** The largest chain that is looked at, in characters, and the most certificates in it. */
export const MAX_CHAIN = 16 * 1024
const MAX_CERTIFICATES: Record<Curve, number> = { 'P-256': 4, 'P-384': 5 }

/** Writes certificates (DER) as PEM, 64 columns, each ended by a newline. */
export function encodePem(certificates: readonly Uint8Array[]): string {
  return certificates.map((bytes) => `${BEGIN}${encodeBody(bytes)}${END}`).join('')
}

function encodeBody(bytes: Uint8Array): string {
  return (toBase64(bytes).match(/.{1,64}/g) ?? []).join('\n')
}

/**
 * Parses a chain, leaf first. The text must be the canonical encoding of its certificates; of the last newline and,
 * as Intel's quotes have it, one NUL after it, both, one or none may stand there. Throws X509Error.
 */
export function parseChain(text: string, curve: Curve = 'P-256'): readonly Certificate[] {
  if (text.length > MAX_CHAIN) throw new X509Error(`certificate chain: more than ${MAX_CHAIN} characters`)
  return chains[curve].get(text, () => readChain(text, curve))
}

/** The same few chains come with every quote. */
const chains: Record<Curve, Bounded<readonly Certificate[]>> = {
  'P-256': new Bounded(64),
  'P-384': new Bounded(64),
}

/** Equal certificates of different chains are one object, so that what was proved of it serves all of them. */
const certificates: Record<Curve, Bounded<Certificate>> = {
  'P-256': new Bounded(256),
  'P-384': new Bounded(256),
}

function readChain(text: string, curve: Curve): readonly Certificate[] {
  const trimmed = text.endsWith('\n\0') ? text.slice(0, -1) : text.endsWith('\n') ? text : `${text}\n`
  const chain: Certificate[] = []
  let at = 0
  while (at < trimmed.length) {
    const end = trimmed.indexOf(END, at)
    if (!trimmed.startsWith(BEGIN, at) || end < 0) throw new X509Error('certificate chain: not canonical PEM')
    if (chain.length === MAX_CERTIFICATES[curve])
      throw new X509Error('certificate chain: too many certificates')
    const body = trimmed.slice(at + BEGIN.length, end)
    chain.push(certificates[curve].get(body, () => readCertificate(body, curve)))
    at = end + END.length
  }
  return chain
}

function readCertificate(body: string, curve: Curve): Certificate {
  const bytes = decodeBody(body)
  if (encodeBody(bytes) !== body) throw new X509Error('certificate chain: not canonical PEM')
  return parseCertificate(bytes, curve)
}

/** As parseChain, from bytes (UTF-8). */
export function parseChainBytes(bytes: Uint8Array, curve: Curve = 'P-256'): readonly Certificate[] {
  try {
    return parseChain(fromUtf8(bytes), curve)
  } catch (error) {
    if (error instanceof X509Error) throw error
    throw new X509Error('certificate chain: not a text')
  }
}

function decodeBody(body: string): Uint8Array {
  try {
    return fromBase64(body.replaceAll('\n', ''))
  } catch {
    throw new X509Error('certificate chain: not base64')
  }
}
