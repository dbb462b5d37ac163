/** Targets of what a TDX guest reads from the tools of its vendor. */

import { toBase64, utf8 } from '../bytes.ts'
import { parseNvattest } from '../guest/gpu.ts'
import type { Target } from './fuzz.ts'
import { RefusedError } from './input.ts'

const device = {
  arch: 'HOPPER',
  nonce: '00'.repeat(32),
  certificate: toBase64(utf8('-----BEGIN CERTIFICATE-----')),
  evidence: toBase64(new Uint8Array(99)),
}

export const GUEST_TARGETS: Readonly<Record<string, Target>> = {
  nvattest: {
    reads: 'what nvattest collect-evidence prints',
    seeds: () => [
      utf8(JSON.stringify({ evidences: [device, device], result_code: 0, result_message: 'Ok' })),
      utf8(JSON.stringify({ evidences: null, result_code: 16, result_message: 'no driver' })),
    ],
    parse: (bytes) => {
      if (parseNvattest(bytes) === undefined) throw new RefusedError('not what the tool prints')
    },
  },
}
