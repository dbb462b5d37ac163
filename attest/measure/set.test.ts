import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../bytes.ts'
import { measure } from '../cli/measure.ts'
import {
  checkMeasurements,
  encodeMeasurements,
  MeasureError,
  type MeasurementFile,
  measureBoot,
  measureFirmware,
  parseMeasurements,
} from './index.ts'
import { buildFirmware, buildKernel, pattern } from './testing.ts'

const H48 = 'ab'.repeat(48)
const FILE: MeasurementFile = {
  format: 'chrysalis/measurements/1',
  name: '1.2.0',
  sets: [
    { name: 'a', mrTd: H48, rtmr: [null, H48, H48, null] },
    { name: 'b', mrTd: H48, rtmr: [H48, null, null, null], mrConfigId: '00'.repeat(48) },
  ],
  sources: [{ set: 'a', firmware: { sha256: 'cd'.repeat(32), pages: 'per-page' } }],
}

describe('a measurement file', () => {
  it('comes back as it went', () => {
    expect(parseMeasurements(encodeMeasurements(FILE))).toEqual(FILE)
  })

  const [first] = FILE.sets
  it.each<[string, unknown, RegExp]>([
    ['another format', { ...FILE, format: 'chrysalis/measurements/2' }, /format/],
    ['no set', { ...FILE, sets: [] }, /sets/],
    ['an unknown member', { ...FILE, allow: true }, /Unrecognized key/],
    ['an unknown member of a set', { ...FILE, sets: [{ ...first, mrtd: H48 }] }, /sets\.0/],
    ['upper-case hex', { ...FILE, sets: [{ ...first, mrTd: H48.toUpperCase() }] }, /sets\.0\.mrTd/],
    ['47 bytes', { ...FILE, sets: [{ ...first, mrTd: H48.slice(2) }] }, /48 bytes/],
    ['three registers', { ...FILE, sets: [{ ...first, rtmr: [null, null, null] }] }, /rtmr/],
    ['two sets of one name', { ...FILE, sets: [first, first] }, /same name/],
    ['a source of no set', { ...FILE, sources: [{ ...FILE.sources?.[0], set: 'z' }] }, /not there/],
    ['no object', null, /measurement file/],
  ])('with %s is refused', (_, value, message) => {
    expect(() => checkMeasurements(value)).toThrow(MeasureError)
    expect(() => checkMeasurements(value)).toThrow(message)
  })

  it('with a repeated name, or of more than 1 MiB, is refused', () => {
    const text = fromUtf8(encodeMeasurements(FILE)).replace('{', '{"name":"2.0",')
    expect(() => parseMeasurements(utf8(text))).toThrow(/repeated/)
    expect(() => parseMeasurements(new Uint8Array(2 ** 20 + 1))).toThrow(/more than/)
  })

  it('of any bytes never fails with anything but a MeasureError', () => {
    const text = fromUtf8(encodeMeasurements(FILE))
    const tryIt = (bytes: Uint8Array) => {
      try {
        parseMeasurements(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(MeasureError)
      }
    }
    for (let cut = 0; cut < text.length; cut += 5) tryIt(utf8(text.slice(0, cut)))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tryIt))
    fc.assert(fc.property(fc.json(), (json) => tryIt(utf8(json))))
  })
})

describe('attest measure', () => {
  const dir = mkdtempSync(join(tmpdir(), 'measure-'))
  afterAll(() => rmSync(dir, { recursive: true }))
  const image = buildFirmware({
    sections: [
      { type: 'BFV', dataSize: 0x1000, address: 0xffff_f000, memorySize: 0x1000, attributes: 1 },
      { type: 'TempMem', address: 0x80_0000, memorySize: 0x1000, attributes: 0 },
    ],
    content: pattern(0x1000, 1),
  })
  const kernel = buildKernel()
  const initrd = pattern(9000, 2)
  const file = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(dir, name), bytes)
    return join(dir, name)
  }
  const FIRMWARE = ['--firmware', file('OVMF.fd', image)]
  const BOOT = [
    '--kernel',
    file('vmlinuz', kernel),
    '--cmdline',
    'quiet ro',
    '--initrd',
    file('initrd', initrd),
  ]

  async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    let out = ''
    let err = ''
    const io = {
      env: {},
      out: (text: string) => {
        out += text
      },
      err: (text: string) => {
        err += text
      },
    }
    return { code: await measure(argv, io), out, err }
  }

  it('prints both orders as a file that parses', async () => {
    const { code, out } = await run(...FIRMWARE, ...BOOT, '--name', '1.2.0', '--json')
    const parsed = parseMeasurements(utf8(out))
    const { rtmr1, rtmr2 } = await measureBoot({ kernel, cmdline: 'quiet ro', initrd, setupHeader: 'as-is' })
    expect(code).toBe(0)
    expect(parsed.sets).toEqual(
      (['per-page', 'two-pass'] as const).map((order) => ({
        name: `1.2.0 (${order})`,
        ...measureFirmware(image, { order }),
        rtmr: [null, rtmr1, rtmr2, null],
      })),
    )
    expect(parsed.sources?.[0]?.kernel).toMatchObject({ setupHeader: 'as-is', cmdline: 'quiet ro' })
  })

  it('prints a table for people that says what is not predicted', async () => {
    const { code, out } = await run(...FIRMWARE, '--order', 'per-page')
    expect(code).toBe(0)
    expect(out).toContain(`MRTD   ${measureFirmware(image, { order: 'per-page' }).mrTd}`)
    expect(out).toContain('RTMR1  not computed: give --kernel')
    expect(out).toContain('Predicted, not read from a machine')
  })

  it('computes the header that QEMU fills in for a memory size', async () => {
    const qemu = ['--setup-header', 'qemu', '--memory-mib', '8192']
    const { out } = await run(...FIRMWARE, ...BOOT, ...qemu, '--order', 'per-page', '--json')
    const setupHeader = { memoryBytes: 8192 * 2 ** 20 }
    const { rtmr1 } = await measureBoot({ kernel, cmdline: 'quiet ro', initrd, setupHeader })
    expect(parseMeasurements(utf8(out)).sets[0]?.rtmr[1]).toBe(rtmr1)
  })

  it.each<[string, string[], RegExp]>([
    ['no firmware', [], /--firmware|setting firmware/],
    ['a firmware that is not there', ['--firmware', join(dir, 'none')], /ENOENT/],
    ['a firmware that is none', ['--firmware', file('noise', pattern(5000, 7))], /not an OVMF/],
    ['an unknown order', [...FIRMWARE, '--order', 'random'], /--order/],
    ['a kernel without a command line', [...FIRMWARE, ...BOOT.slice(0, 2)], /--cmdline is missing/],
    ['a command line without a kernel', [...FIRMWARE, '--cmdline', 'quiet'], /--kernel is missing/],
    ['a filled-in header without memory', [...FIRMWARE, ...BOOT, '--setup-header', 'qemu'], /--memory-mib/],
  ])('%s ends with 2 and the cure', async (_, argv, message) => {
    const { code, out, err } = await run(...argv)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(message)
  })
})
