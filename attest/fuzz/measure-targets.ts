/** Targets of what `attest measure` reads. */

import { authenticodeParts } from '../measure/authenticode.ts'
import { encodeMeasurements, parseMeasurements } from '../measure/index.ts'
import { parseTdvf } from '../measure/tdvf.ts'
import { buildFirmware, buildKernel } from '../measure/testing.ts'
import type { Target } from './fuzz.ts'

export const MEASURE_TARGETS: Readonly<Record<string, Target>> = {
  tdvf: {
    reads: 'TDVF metadata of a firmware',
    seeds: () => [
      buildFirmware({
        content: new Uint8Array(8192).fill(7),
        sections: [
          { type: 0, dataOffset: 0, dataSize: 4096, address: 0xff_ff_f0_00, memorySize: 4096, attributes: 1 },
          { type: 3, address: 0x81_00_00, memorySize: 8192, attributes: 0 },
        ],
      }),
    ],
    parse: parseTdvf,
  },
  kernel: { reads: 'PE images (Authenticode)', seeds: () => [buildKernel()], parse: authenticodeParts },
  measurements: {
    reads: 'files of expected measurements',
    seeds: () => [
      encodeMeasurements({
        name: 'fuzz',
        sets: [{ name: 'a', mrTd: '00'.repeat(48), rtmr: [null, '11'.repeat(48), null, null] }],
      }),
    ],
    parse: parseMeasurements,
  },
}
