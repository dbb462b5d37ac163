/** The parsers of event logs. What they take must also replay, and be told to a person in printable ASCII. */

import { utf8 } from '../bytes.ts'
import {
  describeEventLog,
  EV,
  measuredEvents,
  parseCcelTable,
  parseEventLog,
  replay,
} from '../eventlog/index.ts'
import { sampleClaims } from '../evidence/testing.ts'
import { simulatedEventLog } from '../simulate/eventlog.ts'
import type { Target } from './fuzz.ts'

const log = simulatedEventLog({ software: '1.0', events: measuredEvents(sampleClaims(), {}) })
const runtime = { imr: 3, event_type: EV.dstackRuntime, digest: '', event: 'app-id', event_payload: 'abcd' }

// "CCEL", length 56, revision 1 and a checksum that makes the sum of all bytes zero.
const table = new Uint8Array(56)
table.set(utf8('CCEL8\0\0\0\x01\0INTEL '))
table[36] = 2
table[9] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff

function readAndTell(bytes: Uint8Array): void {
  const read = parseEventLog(bytes)
  replay(read)
  for (const line of describeEventLog(read)) {
    if (!/^[\x20-\x7e]{1,400}$/.test(line))
      throw new Error(`a line that is not printable: ${JSON.stringify(line)}`)
  }
}

export const EVENT_LOG_TARGETS: Readonly<Record<string, Target>> = {
  ccel: { reads: 'event logs: CCEL data', seeds: () => [log.ccel], parse: readAndTell },
  'event-log': {
    reads: "event logs: ours and dstack's",
    seeds: () => [log.bytes, utf8(JSON.stringify([runtime, { ...runtime, version: 2 }]))],
    parse: readAndTell,
  },
  'ccel-table': { reads: 'the ACPI table CCEL', seeds: () => [table], parse: parseCcelTable },
}
