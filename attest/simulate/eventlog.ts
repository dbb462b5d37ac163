/**
 * Event logs of the simulated TEE: CCEL data in the bytes that firmware writes, whose replay gives RTMR0-2 for a software
 * text, and our own events in RTMR3. And logs that lie, for tests of verifiers.
 */

import { concat, fromHex, toBase64, utf8, utf16le } from '../bytes.ts'
import {
  type CcelEvent,
  EV,
  EVENT_LOG_FORMAT,
  encodeCcel,
  encodeEventLog,
  type MeasuredEvent,
  parseEventLog,
  type Register,
  replay,
} from '../eventlog/index.ts'
import { canonicalBytes } from '../json.ts'
import type { FactorName } from '../policy/factors.ts'
import { digest } from './digest.ts'

/** What a simulated TD boots, and what it then extends into RTMR3, in order. */
export interface SimulatedBoot {
  /** Version and configuration of what runs: RTMR0-2 follow from it. */
  software: string
  events: readonly MeasuredEvent[]
}

interface SimulatedEventLog {
  /** The log to deliver: our format, with the CCEL data in it. */
  bytes: Uint8Array<ArrayBuffer>
  /** The CCEL data alone, without padding. */
  ccel: Uint8Array<ArrayBuffer>
  /** What RTMR0 to 3 hold, 48 bytes each. */
  rtmr: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
}

/** The event log and registers of a simulated boot; the same for the same boot. */
export function simulatedEventLog({ software, events }: SimulatedBoot): SimulatedEventLog {
  const ccel = encodeCcel(bootEvents(software))
  const bytes = encodeEventLog({ ccel, events })
  return { bytes, ccel, rtmr: replay(parseEventLog(bytes)) }
}

const GLOBAL_VARIABLE = '61dfe48bca93d211aa0d00e098032b8c'
const IMAGE_SECURITY = 'cbb219d73a3d9645a3bcdad00e67656f'
const SEPARATOR = new Uint8Array(4)

/** As a TDVF boots a kernel directly: firmware and variables, then the kernel's image, then command line and initrd. */
function bootEvents(software: string): CcelEvent[] {
  const opaque = (rtmr: Register, type: number, data: Uint8Array, what: string): CcelEvent => {
    return { rtmr, type, data, digest: digest('sha384', `chrysalis/simulated/${what}\0${software}`) }
  }
  const whole = (rtmr: Register, type: number, data: Uint8Array): CcelEvent => {
    return { rtmr, type, data, digest: digest('sha384', data) }
  }
  const text = (rtmr: Register, label: string, measured: string): CcelEvent => {
    return { rtmr, type: EV.ipl, data: utf8(`${label}: ${measured}\0`), digest: digest('sha384', measured) }
  }
  const bootVariable = (name: string, value: Uint8Array): CcelEvent => {
    return {
      rtmr: 0,
      type: EV.variableBoot,
      data: variable(GLOBAL_VARIABLE, name, value),
      digest: digest('sha384', value),
    }
  }
  const config = (guid: string, name: string, value = new Uint8Array(0)): CcelEvent => {
    return whole(0, EV.variableDriverConfig, variable(guid, name, value))
  }
  return [
    opaque(0, EV.handoffTables2, concat(Uint8Array.of(9), utf8('TdxTable\0'), new Uint8Array(32)), 'td-hob'),
    opaque(
      0,
      EV.firmwareBlob2,
      concat(Uint8Array.of(4), utf8('Fv()'), new Uint8Array(16)),
      'configuration-volume',
    ),
    config(GLOBAL_VARIABLE, 'SecureBoot', Uint8Array.of(0)),
    ...['PK', 'KEK'].map((name) => config(GLOBAL_VARIABLE, name)),
    ...['db', 'dbx'].map((name) => config(IMAGE_SECURITY, name)),
    whole(0, EV.separator, SEPARATOR),
    ...['loader', 'rsdp', 'tables'].map((part) =>
      opaque(0, EV.platformConfigFlags, utf8('ACPI DATA'), `acpi-${part}`),
    ),
    bootVariable('BootOrder', Uint8Array.of(0, 0)),
    bootVariable('Boot0000', concat(Uint8Array.of(1, 0, 0, 0, 0, 0), utf16le('Chrysalis\0'))),
    opaque(1, EV.bootServicesApplication, new Uint8Array(32), 'kernel'),
    whole(1, EV.efiAction, utf8('Calling EFI Application from Boot Option')),
    whole(1, EV.separator, SEPARATOR),
    text(2, 'kernel_cmdline', `chrysalis.software=${software}`),
    opaque(
      2,
      EV.eventTag,
      concat(Uint8Array.of(0xec, 0x22, 0x3b, 0x8f, 13, 0, 0, 0), utf8('Linux initrd\0')),
      'initrd',
    ),
    whole(1, EV.efiAction, utf8('Exit Boot Services Invocation')),
    whole(1, EV.efiAction, utf8('Exit Boot Services Returned with Success')),
  ]
}

/** UEFI_VARIABLE_DATA; the GUID in hex as it lies in memory. */
function variable(guid: string, name: string, value: Uint8Array): Uint8Array {
  const lengths = new DataView(new ArrayBuffer(16))
  lengths.setBigUint64(0, BigInt(name.length), true)
  lengths.setBigUint64(8, BigInt(value.length), true)
  return concat(fromHex(guid), new Uint8Array(lengths.buffer), utf16le(name), value)
}

/** A log that must be refused, for a quote of `simulatedEventLog(boot).rtmr` and claims that its events state. */
interface EventLogCase {
  /** The factors that fail; all others of the log pass. */
  fails: readonly FactorName[]
  why: string
  make: (boot: SimulatedBoot) => Uint8Array<ArrayBuffer>
}

/** Logs that lie about a boot, by name. */
export const EVENT_LOG_CASES: Readonly<Record<string, EventLogCase>> = {
  'eventlog-other-boot': {
    fails: ['eventlog.replay'],
    why: 'the log of a boot of other software',
    make: ({ software, events }) => simulatedEventLog({ software: `${software}, changed`, events }).bytes,
  },
  'eventlog-duplicate-separator': {
    fails: ['eventlog.replay'],
    why: 'the separator of RTMR0 is there twice',
    make: (boot) =>
      withBoot(boot, (log) =>
        log.flatMap((event) => (event.type === EV.separator && event.rtmr === 0 ? [event, event] : event)),
      ),
  },
  'eventlog-changed-data': {
    fails: ['eventlog.digests'],
    why: 'the kernel command line reads otherwise than what was measured',
    make: (boot) =>
      withBoot(boot, (log) =>
        log.map((event) =>
          event.type === EV.ipl ? { ...event, data: utf8('kernel_cmdline: harmless\0') } : event,
        ),
      ),
  },
  'eventlog-hidden-separator': {
    fails: ['eventlog.digests'],
    why: "the separator of RTMR0 goes by another type, so that later events look like the firmware's",
    make: (boot) =>
      withBoot(boot, (log) =>
        log.map((event) =>
          event.type === EV.separator && event.rtmr === 0
            ? { ...event, type: EV.platformConfigFlags }
            : event,
        ),
      ),
  },
  'eventlog-appended': {
    fails: ['eventlog.replay', 'eventlog.claims'],
    why: 'an event that was never extended is appended',
    make: ({ software, events }) => {
      const extra = { name: 'chrysalis.model', payload: utf8('{}') }
      return simulatedEventLog({ software, events: [...events, extra] }).bytes
    },
  },
  'eventlog-left-out': {
    fails: ['eventlog.replay', 'eventlog.claims'],
    why: 'the last event is left out',
    make: ({ software, events }) => simulatedEventLog({ software, events: events.slice(0, -1) }).bytes,
  },
  'eventlog-reordered': {
    fails: ['eventlog.replay', 'eventlog.claims'],
    why: 'our events are in another order than they were extended',
    make: ({ software, events }) => simulatedEventLog({ software, events: events.toReversed() }).bytes,
  },
  'eventlog-renamed': {
    fails: ['eventlog.replay', 'eventlog.claims'],
    why: 'our events have other names',
    make: ({ software, events }) => {
      const renamed = events.map(({ name, payload }) => ({ name: `${name}.old`, payload }))
      return simulatedEventLog({ software, events: renamed }).bytes
    },
  },
  'eventlog-without-ours': {
    fails: ['eventlog.replay', 'eventlog.claims'],
    why: 'the CCEL data alone, without our events',
    make: (boot) => simulatedEventLog(boot).ccel,
  },
  'eventlog-truncated': {
    fails: ['eventlog.format'],
    why: 'the CCEL data ends in the middle of an event',
    make: (boot) => {
      const { ccel } = simulatedEventLog(boot)
      return canonicalBytes({ format: EVENT_LOG_FORMAT, ccel: toBase64(ccel.subarray(0, -7)), events: [] })
    },
  },
}

/** The log of a boot whose boot events were changed after the fact. */
function withBoot(
  { software, events }: SimulatedBoot,
  change: (events: CcelEvent[]) => CcelEvent[],
): Uint8Array<ArrayBuffer> {
  return encodeEventLog({ ccel: encodeCcel(change(bootEvents(software))), events })
}
