import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, toHex } from '../bytes.ts'
import { haveVectors, vectorJson } from '../tdx/testing.ts'
import { verifyEcdsa } from '../x509/index.ts'
import { parseDeviceChain } from './chain.ts'
import { GpuError } from './errors.ts'
import { FIELD } from './opaque.ts'
import { MAX_REPORT, parseReport } from './spdm.ts'
import { deviceOf, gpuCases, reportBytes } from './testing.ts'

/** A report of our own, nothing in it but its form. */
function makeReport({ indices = [1, 2, 7], opaque = [] as number[][] } = {}): Uint8Array {
  const blocks = indices.map((index) => concat(Uint8Array.of(index, 1, 51, 0, 1, 48, 0), new Uint8Array(48)))
  const record = concat(...blocks)
  const fields = concat(
    ...opaque.map(([type = 0, ...value]) => Uint8Array.of(type, 0, value.length, 0, ...value)),
  )
  return concat(
    Uint8Array.of(0x11, 0xe0, 1, 0xff),
    new Uint8Array(32).fill(7),
    Uint8Array.of(0, 0x11, 0x60, 0, 0, indices.length, record.length & 0xff, record.length >> 8, 0),
    record,
    new Uint8Array(32).fill(9),
    Uint8Array.of(fields.length & 0xff, fields.length >> 8),
    fields,
    new Uint8Array(96).fill(1),
  )
}

function expectReportError(bytes: Uint8Array): void {
  expect(() => parseReport(bytes)).toThrow(expect.objectContaining({ code: 'ERR_GPU_REPORT' }))
}

describe('measurement reports', () => {
  const good = makeReport({ opaque: [[FIELD.nvdec0, 0xaa]] })

  it('are read field by field', () => {
    const report = parseReport(good)
    expect(report.nonce).toEqual(new Uint8Array(32).fill(7))
    expect(report.deviceNonce).toEqual(new Uint8Array(32).fill(9))
    expect(report.measurements.map(({ index }) => index)).toEqual([1, 2, 7])
    expect(report.facts).toEqual({ nvdec0: true })
    expect(concat(report.signed, report.signature)).toEqual(good)
  })

  it('are refused at every other length', () => {
    for (let length = 0; length < good.length; length++) expectReportError(good.subarray(0, length))
    expectReportError(concat(good, Uint8Array.of(0)))
    expectReportError(new Uint8Array(MAX_REPORT + 1))
  })

  it('have the one header, size and version that there is', () => {
    for (const at of [0, 1, 2, 3, 36, 37, 38, 39, 40, 41, 42, 43, 44, 46, 47, 48, 50, 51])
      expectReportError(good.with(at, (good[at] ?? 0) ^ 0x40))
    expectReportError(good.with(49, 4))
    expectReportError(good.with(49, 0x81))
  })

  it('have measurements whose indices rise, and at least one', () => {
    expectReportError(makeReport({ indices: [1, 1] }))
    expectReportError(makeReport({ indices: [2, 1] }))
    expectReportError(makeReport({ indices: [0] }))
    expectReportError(makeReport({ indices: [] }))
  })

  it.each([
    ['the same field twice', [[200], [200]]],
    ['a switch that is neither on nor off', [[FIELD.nvdec0, 0x54]]],
    ['a status of two bytes', [[FIELD.protectedPcie, 0xaa, 0xaa]]],
    ['a driver version that is no text', [[FIELD.driverVersion, 0x0a]]],
    ['an empty driver version', [[FIELD.driverVersion, 0]]],
    ['a VBIOS version with dirt in its padding', [[FIELD.vbiosVersion, 1, 2, 3, 4, 5, 6, 0, 0]]],
    ['a FWID of another length', [[FIELD.fwid, 1, 2]]],
    ['half a device id', [[FIELD.switchPdi, 1, 2, 3, 4]]],
    [
      'opaque data of a version from the future',
      [
        [FIELD.version, 2, 0],
        [FIELD.featureFlag, 0, 0],
      ],
    ],
    ['version 1 without its feature flag', [[FIELD.version, 1, 0]]],
    ['an unknown mode', [[FIELD.featureFlag, 3, 0]]],
    [
      'a mode that contradicts the PCIe status',
      [
        [FIELD.featureFlag, 0, 0],
        [FIELD.protectedPcie, 0xaa],
      ],
    ],
  ])('refuse %s', (_name, opaque) => {
    expectReportError(makeReport({ opaque }))
  })

  it('tell the mode as far as the driver does', () => {
    const mode = (...opaque: number[][]) => parseReport(makeReport({ opaque })).facts.mode
    expect(mode()).toBeUndefined()
    expect(mode([FIELD.protectedPcie, 0x55])).toBe('CC')
    expect(mode([FIELD.protectedPcie, 0xaa])).toBe('PPCIE')
    expect(mode([FIELD.featureFlag, 0, 0])).toBe('SPT')
    expect(mode([FIELD.featureFlag, 1, 0], [FIELD.version, 1, 0])).toBe('MPT')
    expect(mode([FIELD.featureFlag, 2, 0], [FIELD.protectedPcie, 0xaa])).toBe('PPCIE')
  })

  it('end in a report or in a typed error, whatever the bytes', () => {
    const attempt = (bytes: Uint8Array): void => {
      try {
        parseReport(bytes)
      } catch (error) {
        if (!(error instanceof GpuError)) throw error
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), attempt))
    const spot = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(fc.array(spot, { maxLength: 8 }), (spots) => {
        attempt(spots.reduce((bytes, [at, value]) => bytes.with(at, value), good))
      }),
    )
  })
})

describe.skipIf(!haveVectors())('real reports', () => {
  it.each(gpuCases())('$name says what the index says', async (entry) => {
    const device = deviceOf(entry)
    const report = parseReport(new Uint8Array(Buffer.from(device.evidence, 'base64')))
    expect(toHex(report.nonce)).toBe(entry.nonce)
    expect(report.measurements).toHaveLength(entry.blocks)
    const { driver, vbios, project, projectSku, chipSku, nvdec0 } = report.facts
    expect(driver).toBe(entry.driver)
    expect(indexVersion(report.opaque.get(FIELD.vbiosVersion) ?? new Uint8Array())).toBe(entry.vbios)
    expect(vbios).toMatch(entry.name.includes('switch') ? /^96\.10\.5[25]\.00\.0[01]$/ : entry.vbios)
    expect(project && `${project}_${projectSku}_${chipSku}`).toBe(entry.project)
    expect(nvdec0).toBe(entry.nvdec0 === undefined ? undefined : entry.nvdec0 === 'aa')
    const feature = report.opaque.get(FIELD.featureFlag)
    expect(feature && toHex(feature)).toBe(entry.feature)
    const chain = parseDeviceChain(new Uint8Array(Buffer.from(device.certificate, 'base64')))
    expect(chain.map(({ commonName }) => commonName)).toEqual(entry.chain_subjects)
    const [leaf] = chain
    if (leaf === undefined) throw new Error('no leaf')
    expect(await verifyEcdsa('P-384', leaf.publicKey, report.signature, report.signed)).toBe(entry.signature)
  })

  it('agree with the parse that NVIDIA published', () => {
    const report = parseReport(reportBytes('hopper_580.report.hex'))
    const expected = vectorJson<{
      Nonce: string
      OpaqueLength: number
      Signature: string
      MeasurementRecord: { MeasurementBlocks: Record<string, { DMTFSpecMeasurementValue: string }> }
    }>('nvidia/evidence/spdm_parsed_output.json')
    expect(`0x${toHex(report.deviceNonce)}`).toBe(expected.Nonce)
    expect(`0x${toHex(report.signature)}`).toBe(expected.Signature)
    const length = [...report.opaque.values()].reduce((sum, value) => sum + 4 + value.length, 0)
    expect(length).toBe(expected.OpaqueLength)
    const blocks = Object.entries(expected.MeasurementRecord.MeasurementBlocks)
    expect(blocks.map(([index, block]) => [Number(index), block.DMTFSpecMeasurementValue])).toEqual(
      report.measurements.map(({ index, value }) => [index, `0x${toHex(value)}`]),
    )
  })

  it('are refused at every other length', () => {
    const real = reportBytes('nvswitch_ls10.report.hex')
    for (let length = 0; length < real.length; length++) expectReportError(real.subarray(0, length))
  })
})

/** How the index writes a version, which is right for a GPU's eight bytes and mangles the text of a switch. */
function indexVersion(value: Uint8Array): string {
  const half = value.length / 2
  const bytes = [...value.subarray(0, half)].reverse().concat([...value.subarray(half, half + 1)])
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('.')
}
