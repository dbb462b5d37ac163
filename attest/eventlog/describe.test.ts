import { sha384 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { concat, toHex, utf8, utf16le } from '../bytes.ts'
import { describeEventLog, EV, encodeCcel, encodeEventLog, parseEventLog } from './index.ts'

/** The line of one event in RTMR2; without measured bytes it is opaque. */
function line(type: number, data: Uint8Array, measured?: Uint8Array): string {
  const digest = measured === undefined ? new Uint8Array(48) : sha384(measured)
  return describeEventLog(parseEventLog(encodeCcel([{ rtmr: 2, type, data, digest }]))).join('\n')
}

const node = (type: number, subtype: number, data: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(type, subtype, 4 + data.length, 0), data)

describe('describeEventLog', () => {
  it('writes one line for each event: index, register, how far it is believed, type, text', () => {
    expect(line(EV.efiAction, utf8('go'), utf8('go'))).toBe('  0 RTMR2 recomputed EV_EFI_ACTION: go')
    expect(line(EV.platformConfigFlags, utf8('ACPI DATA'))).toBe(
      '  0 RTMR2 opaque     EV_PLATFORM_CONFIG_FLAGS: [ACPI DATA]',
    )
    expect(line(EV.efiAction, utf8('go'))).toBe(
      '  0 RTMR2 mismatch   EV_EFI_ACTION: [go] -- the data of this EV_EFI_ACTION does not hash to its digest',
    )
    expect(line(0xabcd, utf8(''))).toBe('  0 RTMR2 opaque     type 0x0000abcd: [no data]')
    const ours = parseEventLog(encodeEventLog({ events: [{ name: 'a', payload: utf8('{}') }] }))
    expect(describeEventLog(ours)).toEqual(['  0 RTMR3 recomputed chrysalis: a {}'])
  })

  it('reads UTF-16, device paths and descriptions as a person would', () => {
    const ipl = utf16le('root=/dev/vda ro\0')
    expect(line(EV.ipl, ipl, ipl)).toMatch(/: root=\/dev\/vda ro$/)
    const path = concat(
      node(2, 1, new Uint8Array(8)),
      node(4, 4, utf16le('\\EFI\\a.efi\0')),
      node(0x7f, 0xff, utf8('')),
    )
    expect(line(EV.bootServicesApplication, concat(new Uint8Array(32), path))).toContain('[\\\\EFI\\\\a.efi]')
    for (const broken of [Uint8Array.of(4, 4, 0, 0), Uint8Array.of(4, 4, 99, 0), utf8('\x04')]) {
      const data = concat(new Uint8Array(32), broken)
      expect(line(EV.bootServicesApplication, data)).toContain(`[${toHex(data)}]`)
    }
    expect(line(EV.handoffTables2, concat(utf8('\x08'), utf8('TdxTable'), new Uint8Array(9)))).toContain(
      '[TdxTable]',
    )
    expect(line(EV.eventTag, concat(new Uint8Array(8), utf8('Linux initrd\0')))).toContain('[Linux initrd]')
  })

  it('puts what is not measured of a believed event in brackets', () => {
    const grub = utf8('kernel_cmdline: ro\0')
    expect(line(EV.ipl, grub, utf8('ro'))).toMatch(/: \[kernel_cmdline:\] ro$/)
    const variable = concat(
      new Uint8Array(16),
      Uint8Array.of(1),
      new Uint8Array(7),
      Uint8Array.of(2),
      new Uint8Array(7),
      utf16le('N'),
      utf8('vv'),
    )
    expect(line(EV.variableBoot, variable, utf8('vv'))).toMatch(/: \[N\] = 7676$/)
    expect(line(EV.variableBoot, variable, variable)).toMatch(/: N = 7676$/)
    expect(line(EV.variableDriverConfig, variable, variable)).toMatch(/: N = 7676$/)
  })

  it('lets nothing through that a terminal obeys, and no line grow', () => {
    const nasty = ['\u001b[2J', '\u202e', '\u0007', '\\u{1b}', 'é', '\r\n', 'x'.repeat(100_000)]
    for (const text of nasty) {
      const variable = concat(
        new Uint8Array(16),
        Uint8Array.of(text.length & 0xff, (text.length >> 8) & 0xff, text.length >> 16),
        new Uint8Array(13),
        utf16le(text),
      )
      for (const bytes of [utf8(text), utf16le(text), variable, concat(utf8('grub_cmd: '), utf8(text))]) {
        for (const type of [
          EV.ipl,
          EV.efiAction,
          EV.variableDriverConfig,
          EV.bootServicesApplication,
          EV.eventTag,
        ]) {
          expect(line(type, bytes)).toMatch(/^[\x20-\x7e]{1,300}$/)
        }
      }
      const event = {
        imr: 3,
        event_type: EV.dstackRuntime,
        digest: '',
        event: text.slice(0, 1000),
        event_payload: '',
      }
      const [told = ''] = describeEventLog(parseEventLog(utf8(JSON.stringify([event]))))
      expect(told).toMatch(/^[\x20-\x7e]{1,300}$/)
    }
    // An escape that the log spells out itself does not look like one of ours.
    expect(line(EV.efiAction, utf8('\\u{1b}'))).toContain('[\\\\u{1b}]')
  })
})
