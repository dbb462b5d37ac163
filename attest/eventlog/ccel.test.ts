import { sha384 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, toHex, utf8 } from '../bytes.ts'
import { simulatedEventLog } from '../simulate/eventlog.ts'
import { type CcelEvent, EV, encodeCcel, parseEventLog, type Register, replay, trimCcel } from './index.ts'
import { MAX_EVENT_LOG } from './log.ts'
import { readOrRefuse, summary } from './testing.ts'

const HEAD = 32 + 33
const event = (type: number, data: Uint8Array, measured = data, rtmr: Register = 2): CcelEvent => {
  return { rtmr, type, data, digest: sha384(measured) }
}
const one = encodeCcel([event(EV.efiAction, utf8('boot'), utf8('boot'), 1)])

/** The log of one event with bytes written over it. */
function over(at: number, ...bytes: number[]): Uint8Array {
  const changed = one.slice()
  changed.set(bytes, at)
  return changed
}

describe('CCEL data', () => {
  it('is read as it is written, with padding and without', () => {
    const events = [event(EV.efiAction, utf8('a'), utf8('a'), 0), event(0x99, utf8('b'), utf8('?'), 3)]
    const bare = encodeCcel(events)
    for (const bytes of [bare, encodeCcel(events, 4096)]) {
      const { source, entries } = parseEventLog(bytes)
      expect(source).toBe('ccel')
      expect(entries.map(({ rtmr, type, data }) => [rtmr, type, toHex(data)])).toEqual([
        [0, EV.efiAction, '61'],
        [3, 0x99, '62'],
      ])
      expect(toHex(trimCcel(bytes))).toBe(toHex(bare))
    }
    expect(trimCcel(encodeCcel(events, 4 * MAX_EVENT_LOG)).length).toBe(bare.length)
    expect(() => encodeCcel(events, 100)).toThrow('do not fit')
    expect(() => encodeCcel([{ rtmr: 0, type: 1, digest: new Uint8Array(32), data: utf8('') }])).toThrow(
      '48 bytes',
    )
  })

  it('replays from zeros, each register by itself', () => {
    const zeros = new Uint8Array(48)
    const [r0, r1, r2, r3] = replay(parseEventLog(one))
    expect(toHex(r1)).toBe(toHex(sha384(concat(zeros, sha384(utf8('boot'))))))
    for (const untouched of [r0, r2, r3]) expect(toHex(untouched)).toBe(toHex(zeros))
  })

  it('leaves out EV_NO_ACTION, which extends nothing', () => {
    const silent = { rtmr: 0, type: EV.noAction, data: utf8('x'), digest: new Uint8Array(48) } as const
    expect(parseEventLog(encodeCcel([silent])).entries).toEqual([])
    const loud = encodeCcel([{ ...silent, digest: sha384(utf8('x')) }])
    expect(() => parseEventLog(loud)).toThrow('extends nothing, but has a digest')
  })

  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'empty'],
    ['another first record', over(4, 8), 'Spec ID record'],
    ['a first record with a digest', over(8, 1), 'Spec ID record'],
    ['a first record of register 5', over(0, 5), 'Spec ID record'],
    ['an older Spec ID', over(32 + 14, 0x32), 'Spec ID Event03'],
    ['two algorithms', over(32 + 24, 2), 'exactly one'],
    ['no algorithm', over(32 + 24, 0), 'exactly one'],
    ['SHA-256', over(32 + 28, 0x0b), 'not SHA-384'],
    ['digests of 32 bytes', over(32 + 30, 32), 'not SHA-384'],
    ['more vendor data than there is', over(32 + 32, 9), 'too short for vendor data'],
    ['a longer Spec ID', over(28, 34), 'bytes follow its end'],
    ['a Spec ID longer than the log', over(28, 0xff, 0xff, 0xff, 0xff), 'too short for the Spec ID'],
    ['register 0, MRTD', over(HEAD, 0), 'extends register 0'],
    ['register 5', over(HEAD, 5), 'extends register 5'],
    ['no digest', over(HEAD + 8, 0), 'has 0 digests'],
    ['a thousand million digests', over(HEAD + 8, 0, 0, 0, 0x40), 'has 1073741824 digests'],
    ['a digest of another algorithm', over(HEAD + 12, 4), 'not SHA-384'],
    ['data longer than the log', over(HEAD + 62, 0xff, 0xff, 0xff, 0xff), 'too short for the data'],
    ['a byte after the padding', concat(one, new Uint8Array(60).fill(0xff), Uint8Array.of(0)), 'not all FF'],
    ['zeros instead of padding', concat(one, new Uint8Array(4096)), 'has 0 digests'],
    ['more than the limit', concat(one, new Uint8Array(MAX_EVENT_LOG).fill(0xff)), 'more than'],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => parseEventLog(bytes)).toThrow(message)
    expect(readOrRefuse(() => parseEventLog(bytes))).toBeUndefined()
  })

  it('cut at any length is refused, or ends at an event', () => {
    const { ccel } = simulatedEventLog({ software: 'x', events: [] })
    const { length } = parseEventLog(ccel).entries
    const ends: number[] = []
    for (let at = 0; at < ccel.length; at++) {
      const log = readOrRefuse(() => parseEventLog(ccel.subarray(0, at)))
      if (log !== undefined) ends.push(log.entries.length)
    }
    expect(ends).toEqual(Array.from({ length }, (_, i) => i))
  })

  it('refuses random bytes, also behind a good beginning', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        readOrRefuse(() => parseEventLog(bytes))
        const log = readOrRefuse(() => parseEventLog(concat(one, bytes)))
        expect(log === undefined || log.entries.length >= 1).toBe(true)
      }),
    )
  })
})

describe('what was measured', () => {
  const nul = (text: string): Uint8Array => utf8(`${text}\0`)
  const variable = concat(
    new Uint8Array(16),
    Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 2),
    new Uint8Array(7),
    utf8('N\0vv'),
  )
  const tagged = concat(Uint8Array.of(1, 2, 3, 4, 3, 0, 0, 0), utf8('abc'))
  const zeros = new Uint8Array(4)

  it.each<[string, number, Uint8Array, Uint8Array, string]>([
    ['a separator', EV.separator, zeros, zeros, 'recomputed'],
    ['a separator of FF', EV.separator, zeros.map(() => 0xff), zeros.map(() => 0xff), 'recomputed'],
    ['a separator that reports an error', EV.separator, utf8('\x01\0\0\0'), utf8('\x01\0\0\0'), 'mismatch'],
    ['a separator’s digest beside other data', EV.separator, utf8('none'), zeros, 'mismatch'],
    ['a separator under another type', EV.ipl, zeros, zeros, 'mismatch'],
    ['an action', EV.efiAction, utf8('go'), utf8('go'), 'recomputed'],
    ['an action of another text', EV.efiAction, utf8('go'), utf8('stop'), 'mismatch'],
    ['an old action', EV.action, utf8('go'), utf8('stop'), 'mismatch'],
    ['a firmware version', EV.crtmVersion, utf8('1'), utf8('2'), 'mismatch'],
    ['a partition table', EV.gpt, utf8('1'), utf8('2'), 'mismatch'],
    ['a variable', EV.variableDriverConfig, variable, variable, 'recomputed'],
    ['a variable’s value alone', EV.variableDriverConfig, variable, utf8('vv'), 'mismatch'],
    ['an authority', EV.variableAuthority, variable, utf8('vv'), 'mismatch'],
    ['a boot variable’s value', EV.variableBoot, variable, utf8('vv'), 'recomputed'],
    ['a boot variable as a whole', EV.variableBoot, variable, variable, 'recomputed'],
    ['a boot variable’s value under the newer type', EV.variableBoot2, variable, utf8('vv'), 'mismatch'],
    ['another boot variable', EV.variableBoot, variable, utf8('ww'), 'mismatch'],
    ['a malformed boot variable', EV.variableBoot, variable.subarray(1), utf8('vv'), 'mismatch'],
    ['a command of GRUB', EV.ipl, nul('grub_cmd: ls'), utf8('ls'), 'recomputed'],
    ['a command line of GRUB', EV.ipl, nul('kernel_cmdline: ro'), utf8('ro'), 'recomputed'],
    ['a module of GRUB', EV.ipl, nul('module_cmdline: ro'), utf8('ro'), 'recomputed'],
    ['an old GRUB’s command with its end', EV.ipl, nul('grub_cmd ls'), nul('ls'), 'recomputed'],
    ['a command line that was not measured', EV.ipl, nul('kernel_cmdline: ro'), utf8('rw'), 'mismatch'],
    ['a file of the boot loader', EV.ipl, nul('/boot/vmlinuz'), utf8('kernel'), 'opaque'],
    ['a text of the boot stub', EV.ipl, nul('ro'), nul('ro'), 'recomputed'],
    ['a tag with what was measured', EV.eventTag, tagged, utf8('abc'), 'recomputed'],
    ['a tag with a description', EV.eventTag, tagged, utf8('initrd'), 'opaque'],
    ['flags', EV.platformConfigFlags, utf8('ACPI DATA'), utf8('tables'), 'opaque'],
    ['flags that are the data', EV.platformConfigFlags, utf8('on'), utf8('on'), 'recomputed'],
    ['an image', EV.bootServicesApplication, utf8('path'), utf8('image'), 'opaque'],
    ['dstack’s merged log', EV.dstackRuntime, utf8('{}'), utf8('{}'), 'recomputed'],
    ['dstack’s merged log with other data', EV.dstackRuntime, utf8('{}'), utf8('[]'), 'mismatch'],
    ['boot attempts left out', EV.omitBootDeviceEvents, utf8('a'), utf8('b'), 'mismatch'],
    ['a type that nobody knows', 0x12345678, utf8('a'), utf8('b'), 'opaque'],
  ])('of %s', (_name, type, data, measured, check) => {
    const [entry] = parseEventLog(encodeCcel([event(type, data, measured)])).entries
    expect(entry?.check).toBe(check)
    expect(entry?.problem === undefined).toBe(check !== 'mismatch')
    if (check === 'recomputed') expect(toHex(entry?.measured ?? utf8(''))).toBe(toHex(measured))
    else expect(entry?.measured).toBeUndefined()
  })

  it('stays the same whatever byte of a log is changed, or the log is refused or replays otherwise', () => {
    const { ccel } = simulatedEventLog({ software: '1.0', events: [] })
    const good = parseEventLog(ccel)
    const registers = replay(good).map(toHex)
    const measured = new Set(summary(good.entries))
    fc.assert(
      fc.property(fc.nat(ccel.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const log = readOrRefuse(() => parseEventLog(ccel.with(at, (ccel[at] ?? 0) ^ mask)))
        if (log === undefined || log.entries.some(({ check }) => check === 'mismatch')) return
        if (replay(log).map(toHex).join() !== registers.join()) return
        // What is believed can only become less: a label was changed that nothing measures.
        for (const text of summary(log.entries)) expect(text === 'opaque ' || measured.has(text)).toBe(true)
      }),
      { numRuns: 400 },
    )
  })
})
