/** Logs of real machines against the quotes of the same boots. */

import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import { failedFactors, type Verdict } from '../evidence/verdict.ts'
import { verifyParts } from '../evidence/verify.ts'
import { Factors } from '../policy/factors.ts'
import { platform } from '../policy/presets.ts'
import { parseQuote } from '../tdx/quote.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import {
  describeEventLog,
  judgeEventLog,
  parseCcelTable,
  parseEventLog,
  type Register,
  replay,
} from './index.ts'
import { EV } from './types.ts'

const here = haveVectors()

/** Registers of the quote that the log replays to. */
function matching(log: Uint8Array, quote: Uint8Array): number[] {
  const { rtmr } = parseQuote(quote).body
  const computed = replay(parseEventLog(log))
  return [0, 1, 2, 3].filter((i) => toHex(computed[i as Register]) === toHex(rtmr[i as Register]))
}

function results(bytes: Uint8Array, quote: Uint8Array, registers?: number[]): Record<string, string> {
  const factors = new Factors()
  const { body } = parseQuote(quote)
  const policy = registers === undefined ? {} : { eventLog: { registers } }
  judgeEventLog(factors, { bytes, body, claims: undefined }, policy)
  const list = factors.list(['eventlog.format', 'eventlog.replay', 'eventlog.digests', 'eventlog.claims'])
  return Object.fromEntries(list.map(({ name, result }) => [name.slice('eventlog.'.length), result]))
}

const GOOD = { format: 'pass', replay: 'pass', digests: 'pass', claims: 'not-applicable' }

/** Types of the events that were recomputed, and of those that are opaque, once each. */
function typesBy(check: string, paths: readonly string[]): number[] {
  const entries = paths.flatMap((path) => parseEventLog(vectorBytes(path)).entries)
  const types = entries.filter((entry) => entry.check === check).map(({ type }) => type ?? -1)
  return [...new Set(types)].sort((a, b) => a - b)
}

const CCEL = ['gcp_cos113_ccel_data', 'cctrusted_ccel_data', 'dstack_ccel'].map((name) => `ccel/${name}.bin`)
const DSTACK = ['quote-report', 'rtmr3-report', 'tdx-lite-getquote'].map((name) => `dstack/${name}.json`)

describe.runIf(here)('real event logs', () => {
  it.each<[string, string, number[]]>([
    ['ccel/gcp_cos113_ccel_data.bin', 'tdx/quotes/gcp_cos113_v4.bin', [0, 1, 2, 3]],
    ['ccel/gcp_cos113_BAD_dupe_separator.bin', 'tdx/quotes/gcp_cos113_v4.bin', [2, 3]],
    ['ccel/cctrusted_ccel_data.bin', 'tdx/quotes/cctrusted_v4.bin', [0, 1, 3]],
    ['ccel/dstack_ccel.bin', 'ccel/dstack_tappd_quote.bin', [0, 2]],
  ])('%s replays to the registers that its source names', (log, quote, registers) => {
    expect(matching(vectorBytes(log), vectorBytes(quote))).toEqual(registers)
  })

  it.each(DSTACK)('%s replays to all four registers of the quote in it', (path) => {
    const { quote } = vectorJson<{ quote: string }>(path)
    const bytes = Uint8Array.from(Buffer.from(quote, 'hex'))
    expect(matching(vectorBytes(path), bytes)).toEqual([0, 1, 2, 3])
    expect(results(vectorBytes(path), bytes)).toEqual(GOOD)
    // The array of events alone is the same log.
    const events = vectorJson<{ event_log: string }>(path).event_log
    expect(matching(utf8(events), bytes)).toEqual([0, 1, 2, 3])
  })

  it('judges the log of Google’s COS as good for its quote, and the one with a separator twice as bad', () => {
    const quote = vectorBytes('tdx/quotes/gcp_cos113_v4.bin')
    expect(results(vectorBytes('ccel/gcp_cos113_ccel_data.bin'), quote)).toEqual(GOOD)
    const bad = vectorBytes('ccel/gcp_cos113_BAD_dupe_separator.bin')
    expect(results(bad, quote)).toEqual({ ...GOOD, replay: 'fail' })
    expect(results(bad, quote, [2, 3])).toEqual(GOOD)
    const other = vectorBytes('tdx/quotes/cctrusted_v4.bin')
    expect(results(vectorBytes('ccel/gcp_cos113_ccel_data.bin'), other)).toMatchObject({ replay: 'fail' })
  })

  it('decides a whole verdict, with everything else of the quote in order', async () => {
    const quote = vectorBytes('tdx/quotes/gcp_cos113_v4.bin')
    const collateral = vectorJson('tdx/collateral/00806f_2025-07-07.json')
    const options = { policy: platform(), now: () => Date.UTC(2025, 6, 8) }
    const judge = (name: string): Promise<Verdict> =>
      verifyParts({ quote, collateral, eventLog: vectorBytes(`ccel/${name}.bin`) }, options)
    const good = await judge('gcp_cos113_ccel_data')
    expect([good.verdict, good.measured?.secureBoot]).toEqual(['accept', false])
    const bad = await judge('gcp_cos113_BAD_dupe_separator')
    expect([bad.verdict, bad.measured, failedFactors(bad)]).toEqual([
      'refuse',
      undefined,
      ['eventlog.replay'],
    ])
  })

  it('compares all registers unless the policy names some', () => {
    const quote = vectorBytes('tdx/quotes/cctrusted_v4.bin')
    const log = vectorBytes('ccel/cctrusted_ccel_data.bin')
    expect(results(log, quote)).toEqual({ ...GOOD, replay: 'fail' })
    expect(results(log, quote, [0, 1, 3])).toEqual(GOOD)
  })

  it('recomputes every event of the types that say what was measured, and no other', () => {
    const recomputed = [
      EV.separator,
      EV.ipl,
      EV.variableDriverConfig,
      EV.variableBoot,
      EV.gpt,
      EV.efiAction,
      EV.variableAuthority,
    ]
    expect(typesBy('recomputed', CCEL)).toEqual(recomputed)
    const opaque = [
      EV.platformConfigFlags,
      EV.ipl,
      EV.bootServicesApplication,
      EV.firmwareBlob2,
      EV.handoffTables2,
    ]
    expect(typesBy('opaque', CCEL)).toEqual(opaque)
    expect(typesBy('mismatch', [...CCEL, ...DSTACK])).toEqual([])
    expect(typesBy('recomputed', DSTACK)).toContain(EV.dstackRuntime)
    expect(typesBy('opaque', DSTACK)).toContain(EV.eventTag)
  })

  it('believes GRUB’s texts without the word before them, and dstack’s events by name', () => {
    const factors = new Factors()
    const bytes = vectorBytes('ccel/gcp_cos113_ccel_data.bin')
    const { body } = parseQuote(vectorBytes('tdx/quotes/gcp_cos113_v4.bin'))
    const { events, secureBoot } = judgeEventLog(factors, { bytes, body, claims: undefined }, {})
    expect(secureBoot).toBe(false)
    const texts = events.map(({ measured }) => new TextDecoder().decode(measured))
    const kernel = texts.filter((text) => text.startsWith('/syslinux/vmlinuz.A init='))
    expect(kernel.length).toBe(1)
    expect(events.every(({ check }) => check === 'recomputed')).toBe(true)
    const names = parseEventLog(vectorBytes('dstack/quote-report.json')).entries.map(({ name }) => name)
    expect(names.filter((name) => name !== undefined).slice(0, 3)).toEqual([
      'system-preparing',
      'app-id',
      'compose-hash',
    ])
  })

  it('believes nothing of a log that fails', () => {
    const bytes = vectorBytes('ccel/gcp_cos113_BAD_dupe_separator.bin')
    const { body } = parseQuote(vectorBytes('tdx/quotes/gcp_cos113_v4.bin'))
    const believed = judgeEventLog(new Factors(), { bytes, body, claims: undefined }, {})
    expect(believed).toEqual({ events: [], secureBoot: undefined, configuration: undefined })
  })

  it('reads the ACPI table, which is not the log', () => {
    const table = vectorBytes('ccel/gcp_cos113_ccel_table.bin')
    expect(parseCcelTable(table)).toEqual({
      revision: 1,
      oemId: 'INTEL',
      type: 2,
      subtype: 0,
      logLength: 0x40000n,
      logAddress: 0xbedbf000n,
    })
    expect(() => parseEventLog(table)).toThrow('this is the ACPI table')
    expect(() => parseCcelTable(table.with(9, 0))).toThrow('checksum')
    expect(() => parseCcelTable(table.subarray(1))).toThrow('56 bytes')
  })

  it('describes them in printable ASCII, with what is not proven in brackets', () => {
    const lines = [...CCEL, ...DSTACK].flatMap((path) => describeEventLog(parseEventLog(vectorBytes(path))))
    for (const line of lines) expect(line).toMatch(/^[\x20-\x7e]{1,300}$/)
    const text = lines.join('\n')
    expect(text).toContain('EV_EFI_VARIABLE_DRIVER_CONFIG: SecureBoot = 00')
    expect(text).toContain('EV_EFI_VARIABLE_BOOT: [BootOrder] = 01000000')
    expect(text).toContain('EV_IPL: [kernel_cmdline:] /syslinux/vmlinuz.A init=')
    expect(text).toContain('EV_EFI_BOOT_SERVICES_APPLICATION: [\\\\EFI\\\\ubuntu\\\\shimx64.efi]')
    expect(text).toContain('opaque     EV_PLATFORM_CONFIG_FLAGS: [ACPI DATA]')
    expect(text).toContain('dstack runtime event: app-id 3763bc34552cf3a27ff71ad5f7a90471562a1a2d')
  })
})
