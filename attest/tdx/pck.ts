/** The SGX extension of PCK certificates: which platform this is and at what security version. */

import { toHex } from '../bytes.ts'
import { type Certificate, DerReader, derOid, oidText, smallInteger, TAG, X509Error } from '../x509/index.ts'

/** Root of Intel's object identifiers for PCK certificates. */
const SGX_EXTENSION = '1.2.840.113741.1.13.1'

export interface PckPlatform {
  /** 6 bytes, lower-case hex */ fmspc: string
  /** 2 bytes, lower-case hex */ pceId: string
  /** 16 bytes, hex: names the platform */ ppid: string
  /** 16 component security versions, 0 to 255 */ components: readonly number[]
  pceSvn: number
  /** 16 bytes, hex: names the machine over all its packages; certificates of Intel's Processor CA have none. */
  platformInstanceId: string | undefined
}

/** Reads the SGX extension of a PCK leaf. Throws X509Error when it is missing or incomplete. */
export function readPckPlatform(leaf: Certificate): PckPlatform {
  const extension = leaf.extensions.get(SGX_EXTENSION)
  if (extension === undefined) throw new X509Error('PCK certificate: no SGX extension')
  const outer = new DerReader(extension.value, 'SGX extension')
  const fields = readPairs(outer.next(TAG.sequence).value)
  outer.end()
  const tcb = readPairs(need(fields, `${SGX_EXTENSION}.2`, TAG.sequence))
  const components: number[] = []
  for (let i = 1; i <= 16; i++) {
    const svn = smallInteger(need(tcb, `${SGX_EXTENSION}.2.${i}`, TAG.integer), 'SGX component')
    if (svn > 255) throw new X509Error('SGX extension: component version above 255')
    components.push(svn)
  }
  return {
    fmspc: bytesOf(fields, 4, 6),
    pceId: bytesOf(fields, 3, 2),
    ppid: bytesOf(fields, 1, 16),
    components,
    pceSvn: smallInteger(need(tcb, `${SGX_EXTENSION}.2.17`, TAG.integer), 'SGX PCESVN'),
    platformInstanceId: fields.has(`${SGX_EXTENSION}.6`) ? bytesOf(fields, 6, 16) : undefined,
  }
}

type Pairs = Map<string, { tag: number; value: Uint8Array }>

/** SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, value }. */
function readPairs(bytes: Uint8Array): Pairs {
  const reader = new DerReader(bytes, 'SGX extension')
  const pairs: Pairs = new Map()
  while (!reader.done) {
    const pair = reader.open(TAG.sequence, 'SGX extension entry')
    const oid = oidText(pair.next(TAG.oid).value)
    if (pairs.has(oid)) throw new X509Error(`SGX extension: ${oid} twice`)
    pairs.set(oid, pair.next())
    pair.end()
  }
  return pairs
}

function need(pairs: Pairs, oid: string, tag: number): Uint8Array {
  const entry = pairs.get(oid)
  if (entry?.tag !== tag) throw new X509Error(`SGX extension: ${oid} is missing or of the wrong type`)
  return entry.value
}

function bytesOf(pairs: Pairs, arc: number, length: number): string {
  const value = need(pairs, `${SGX_EXTENSION}.${arc}`, TAG.octetString)
  if (value.length !== length) throw new X509Error(`SGX extension: entry ${arc} is not ${length} bytes long`)
  return toHex(value)
}

/** The object identifier of an entry of the SGX extension, encoded: for makers of certificates. */
export function sgxOid(...arcs: readonly number[]): Uint8Array<ArrayBuffer> {
  return derOid([SGX_EXTENSION, ...arcs].join('.'))
}
