/**
 * The firmware id (FWID): a digest of the firmware for which the boot ROM certified the leaf key. It stands in the
 * leaf (TCG DICE: a composite device id on Hopper and LS10, a DiceTcbInfo on Blackwell) and, from newer drivers, in
 * the report: both must name one firmware.
 */

import { type Certificate, DerReader, OID, oidText, smallInteger, TAG, X509Error } from '../x509/index.ts'
import type { GpuArch } from './chain.ts'
import { GpuError } from './errors.ts'

const COMPOSITE_DEVICE_ID = '2.23.133.5.4.1'
const DICE_TCB_INFO = '2.23.133.5.4.1.1'

/** The extension that the leaf of each architecture carries. */
const EXTENSION: Record<GpuArch, string> = {
  HOPPER: COMPOSITE_DEVICE_ID,
  BLACKWELL: DICE_TCB_INFO,
  LS10: COMPOSITE_DEVICE_ID,
}

/**
 * The FWID in a leaf certificate, 48 bytes; undefined when it has no such extension.
 *
 * @throws GpuError ERR_GPU_FWID when the extension is malformed
 */
export function certificateFwid(leaf: Certificate, arch: GpuArch): Uint8Array | undefined {
  const oid = EXTENSION[arch]
  const extension = leaf.extensions.get(oid)
  if (extension === undefined) return undefined
  try {
    const fields = DerReader.only(extension.value, 'FWID extension')
    return oid === DICE_TCB_INFO ? readTcbInfo(fields) : readComposite(fields)
  } catch (error) {
    throw error instanceof X509Error ? new GpuError('ERR_GPU_FWID', error.message) : error
  }
}

/** SEQUENCE { version 1, public key of the device, FWID } */
function readComposite(fields: DerReader): Uint8Array {
  if (smallInteger(fields.next(TAG.integer).value, 'FWID version') !== 1) {
    throw new X509Error('FWID extension: version is not 1')
  }
  fields.next(TAG.sequence)
  const fwid = readFwid(fields.open(TAG.sequence, 'FWID'))
  fields.end()
  return fwid
}

/** DiceTcbInfo: optional fields by context tags that rise; [6] holds FWIDs, the first of which is the loaded firmware. */
function readTcbInfo(fields: DerReader): Uint8Array {
  let found: Uint8Array | undefined
  let last = -1
  while (!fields.done) {
    const { tag, value } = fields.next()
    const number = tag & 0x1f
    if ((tag & 0xc0) !== 0x80 || number <= last) throw new X509Error('DiceTcbInfo: fields out of order')
    last = number
    if (tag === 0xa6) found = readFwid(new DerReader(value, 'FWIDs').open(TAG.sequence, 'FWID'))
  }
  if (found === undefined) throw new X509Error('DiceTcbInfo: no FWID')
  return found
}

/** SEQUENCE { hash algorithm, digest } */
function readFwid(fields: DerReader): Uint8Array {
  const algorithm = oidText(fields.next(TAG.oid).value)
  const digest = fields.next(TAG.octetString).value
  fields.end()
  if (algorithm !== OID.sha384 || digest.length !== 48) throw new X509Error('FWID: not a SHA-384 digest')
  return digest
}
