/** What is flipped: real quotes with the collateral under which they are accepted, and what in them is structure. */

import { fromHex, toHex, utf8 } from '../bytes.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { parseQuote } from '../tdx/quote.ts'
import { vectorBytes, vectorJson } from '../tdx/testing.ts'
import { DerReader } from '../x509/index.ts'

/** A pair that is accepted under the preset `platform`, and when. */
export interface Pair {
  name: string
  quote: Uint8Array
  collateral: Collateral
  /** ms */ now: number
}

/** Something whose every byte is flipped in turn. */
export interface Target {
  name: string
  pair: Pair
  bytes: Uint8Array
  /** Positions of lengths, types, tags, markers and padding; a test takes all of these. */
  structure: ReadonlySet<number>
  /** What is judged when `bytes` are changed. */
  put(changed: Uint8Array): { quote: Uint8Array; collateral: unknown }
}

const PAIRS = [
  // TD 1.0, version 4, with padding; TD 1.5, version 5; TD 1.0 of another platform, without padding.
  ['cocoon_v4', '90c06f_2026-06-08', '2026-06-09T00:00:00Z'],
  ['google_v5_td15', '90c06f_2026-06-08', '2026-06-09T00:00:00Z'],
  ['dstack_v4', 'b0c06f_2026-08-13', '2026-08-14T00:00:00Z'],
] as const

/** The three pairs, from the real vectors. */
export function realPairs(): Pair[] {
  return PAIRS.map(([quote, collateral, at]) => ({
    name: `${quote} with ${collateral}`,
    quote: vectorBytes(`tdx/quotes/${quote}.bin`),
    collateral: vectorJson<Collateral>(`tdx/collateral/${collateral}.json`),
    now: Date.parse(at),
  }))
}

/** The quote, each member of the collateral as text, and both revocation lists as the DER that their hex means. */
export function targetsOf(pair: Pair): Target[] {
  return [quoteTarget(pair), ...collateralTargets(pair)]
}

export function quoteTarget(pair: Pair): Target {
  const { quote, collateral } = pair
  return {
    name: 'quote',
    pair,
    bytes: quote,
    structure: quoteStructure(quote),
    put: (changed) => ({ quote: changed, collateral }),
  }
}

export function collateralTargets(pair: Pair): Target[] {
  const { quote, collateral } = pair
  const members = Object.entries(collateral).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const texts = members.map(([member, text]) => ({
    name: member,
    pair,
    bytes: utf8(text),
    structure: member.endsWith('_signature') ? new Set(utf8(text).keys()) : textStructure(text),
    // Bytes become characters one by one, so that a flip is never hidden by a decoder of UTF-8.
    put: (changed: Uint8Array) => ({
      quote,
      collateral: { ...collateral, [member]: String.fromCharCode(...changed) },
    }),
  }))
  const lists = (['root_ca_crl', 'pck_crl'] as const).map((member) => {
    const bytes = fromHex(collateral[member])
    return {
      name: `${member} (DER)`,
      pair,
      bytes,
      structure: derStructure(bytes),
      put: (changed: Uint8Array) => ({ quote, collateral: { ...collateral, [member]: toHex(changed) } }),
    }
  })
  return [...texts, ...lists]
}

/** Header, types, lengths, PEM markers, line ends and padding. */
function quoteStructure(bytes: Uint8Array): Set<number> {
  const quote = parseQuote(bytes)
  const at = new Set<number>()
  const add = (from: number, length: number): void => {
    for (let i = 0; i < length; i++) at.add(from + i)
  }
  add(0, 48)
  if (quote.version === 5) add(48, 6)
  const signature = quote.signed.length
  add(signature, 4)
  const certification = signature + 4 + 128
  add(certification, 6)
  const auth = certification + 6 + 384 + 64
  add(auth, 2)
  const inner = auth + 2 + quote.qeAuthData.length
  add(inner, 6)
  const chain = String.fromCharCode(...quote.pckChain)
  for (const position of textStructure(chain)) at.add(inner + 6 + position)
  add(inner + 6 + quote.pckChain.length, bytes.length - inner - 6 - quote.pckChain.length)
  return at
}

/** Marker lines and line ends of PEM; braces, brackets, colons and commas of JSON. */
function textStructure(text: string): Set<number> {
  const at = new Set<number>()
  for (const { index, 0: part } of text.matchAll(/-----[A-Z ]+-----|[\n\0{}[\]:,]/g)) {
    for (let i = 0; i < part.length; i++) at.add(index + i)
  }
  return at
}

/** Tags and lengths at every depth. */
function derStructure(bytes: Uint8Array): Set<number> {
  const at = new Set<number>()
  const walk = (start: number, part: Uint8Array): void => {
    const reader = new DerReader(part, 'structure')
    let offset = start
    while (!reader.done) {
      const { tag, value, raw } = reader.next()
      const head = raw.length - value.length
      for (let i = 0; i < head; i++) at.add(offset + i)
      if ((tag & 0x20) !== 0) walk(offset + head, value)
      offset += raw.length
    }
  }
  walk(0, bytes)
  return at
}
