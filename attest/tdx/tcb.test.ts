import { describe, expect, it } from 'vitest'
import { sampleTee } from '../evidence/testing.ts'
import { makeCollateral } from '../simulate/collateral.ts'
import { PLATFORM } from '../simulate/platform.ts'
import { parseCertificate } from '../x509/index.ts'
import { readPckPlatform } from './pck.ts'
import { parseQuote } from './quote.ts'
import { checkQe, converge, parseQeIdentity, parseTcbInfo, type TcbStatus, tcbLevel } from './tcb.ts'

const tee = sampleTee()
const collateral = makeCollateral(tee.platform, { issuedAt: 0 })
const identity = parseQeIdentity(collateral.qe_identity)
const quote = parseQuote(await tee.quote(new Uint8Array(64)))
const platform = readPckPlatform(parseCertificate(tee.platform.certificates.leaf))

type Json = Record<string, unknown>

/** The TCB info with changes to its JSON. */
function info(change: (json: Json & { tcbLevels: Json[]; tdxModuleIdentities: Json[] }) => void = () => {}) {
  const json = JSON.parse(collateral.tcb_info)
  change(json)
  return parseTcbInfo(JSON.stringify(json))
}

/** A platform level that asks for these versions. */
function level(status: TcbStatus, { sgx = [0], tdx = [0], pcesvn = 0, advisoryIDs = [] as string[] }): Json {
  const fill = (svns: number[]): Json[] => Array.from({ length: 16 }, (_, i) => ({ svn: svns[i] ?? 0 }))
  const tcb = { sgxtcbcomponents: fill(sgx), pcesvn, tdxtcbcomponents: fill(tdx) }
  return { tcb, tcbDate: '2026-01-01T00:00:00Z', tcbStatus: status, advisoryIDs }
}

describe('TCB levels', () => {
  it('reads the platform from the PCK certificate', () => {
    expect(platform.components).toEqual([...PLATFORM.components])
    expect([platform.pceSvn, platform.fmspc, platform.pceId]).toEqual([13, '514d55000000', '0000'])
  })

  it('takes the first level that every component reaches', () => {
    const levels = [
      level('UpToDate', { sgx: [3, 4] }),
      level('UpToDate', { pcesvn: 14 }),
      level('UpToDate', { tdx: [7, 1, 4] }),
      level('ConfigurationNeeded', {
        sgx: [3, 3, 2, 2, 4, 1, 0, 5],
        pcesvn: 13,
        tdx: [9, 9, 3],
        advisoryIDs: ['B', 'A'],
      }),
      level('OutOfDate', {}),
    ]
    const found = tcbLevel(
      info((json) => json.tcbLevels.splice(0, 9, ...levels)),
      identity,
      platform,
      quote,
    )
    // The first two TDX components are the module's, so 9 and 9 do not count here.
    expect(found).toEqual({ status: 'ConfigurationNeeded', advisories: ['A', 'B'] })
    const none = info((json) => json.tcbLevels.splice(0, 9, ...levels.slice(0, 3)))
    expect(() => tcbLevel(none, identity, platform, quote)).toThrow('no level matches')
  })

  it('compares all sixteen TDX components with a TDX 1.0 module', () => {
    const body = { ...quote.body, teeTcbSvn: quote.body.teeTcbSvn.with(1, 0) }
    const strict = info((json) =>
      json.tcbLevels.splice(0, 9, level('UpToDate', { tdx: [8] }), level('OutOfDate', { tdx: [7] })),
    )
    expect(tcbLevel(strict, identity, platform, { ...quote, body }).status).toBe('OutOfDate')
  })

  it.each<[TcbStatus, TcbStatus, TcbStatus]>([
    ['UpToDate', 'UpToDate', 'UpToDate'],
    ['SWHardeningNeeded', 'UpToDate', 'SWHardeningNeeded'],
    ['UpToDate', 'OutOfDate', 'OutOfDate'],
    ['SWHardeningNeeded', 'OutOfDate', 'OutOfDate'],
    ['ConfigurationNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['OutOfDateConfigurationNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['OutOfDate', 'UpToDate', 'OutOfDate'],
    ['UpToDate', 'Revoked', 'Revoked'],
    ['Revoked', 'OutOfDate', 'Revoked'],
    ['UpToDate', 'SWHardeningNeeded', 'SWHardeningNeeded'],
    ['OutOfDate', 'SWHardeningNeeded', 'OutOfDate'],
  ])('%s with %s is %s', (a, b, together) => {
    expect(converge(a, b)).toBe(together)
  })

  it('advises a relaunch when only the module that started this TD is old', () => {
    const old = quote.body.teeTcbSvn.with(0, 5).with(2, 2)
    const body = { ...quote.body, teeTcbSvn: old, teeTcbSvn2: quote.body.teeTcbSvn }
    const moduleLevels = [
      { tcb: { isvsvn: 7 }, tcbDate: '2026-01-01T00:00:00Z', tcbStatus: 'UpToDate' },
      { tcb: { isvsvn: 5 }, tcbDate: '2025-01-01T00:00:00Z', tcbStatus: 'OutOfDate', advisoryIDs: ['A'] },
    ]
    const of = (best: TcbStatus) =>
      info((json) => {
        json.tcbLevels.splice(0, 9, level(best, { tdx: [0, 0, 3] }), level('OutOfDate', {}))
        for (const module of json.tdxModuleIdentities) module.tcbLevels = moduleLevels
      })
    const judge = (best: TcbStatus, changed = body) =>
      tcbLevel(of(best), identity, platform, { ...quote, body: changed })
    expect(judge('UpToDate')).toEqual({ status: 'TDRelaunchAdvised', advisories: ['A'] })
    expect(judge('ConfigurationNeeded').status).toBe('TDRelaunchAdvisedConfigurationNeeded')
    expect(judge('UpToDate', { ...body, teeTcbSvn2: old }).status).toBe('OutOfDate')
    expect(judge('UpToDate', { ...body, teeTcbSvn2: undefined as never }).status).toBe('OutOfDate')
  })
})

describe('documents', () => {
  it.each<[string, (json: Json) => void, string]>([
    ['the SGX id', (json) => Object.assign(json, { id: 'SGX' }), 'id'],
    ['version 2', (json) => Object.assign(json, { version: 2 }), 'version'],
    ['a local date', (json) => Object.assign(json, { issueDate: '2026-01-01T00:00:00' }), 'issueDate'],
    [
      'an unknown status',
      (json) => Object.assign((json as { tcbLevels: Json[] }).tcbLevels[0] ?? {}, { tcbStatus: 'Fine' }),
      'tcbStatus',
    ],
    ['a short FMSPC', (json) => Object.assign(json, { fmspc: '00' }), 'fmspc'],
  ])('refuse %s', (_name, change, field) => {
    expect(() => info(change)).toThrow(field)
  })

  it('refuse what is not JSON', () => {
    expect(() => parseTcbInfo(`${collateral.tcb_info},`)).toThrow('not JSON')
    expect(() => parseQeIdentity(collateral.tcb_info)).toThrow('QE identity')
  })

  it('compare the quoting enclave under their masks', () => {
    const { qeReport } = quote
    checkQe(identity, qeReport)
    checkQe(identity, { ...qeReport, attributes: qeReport.attributes.with(0, 0x15) })
    expect(() => checkQe(identity, { ...qeReport, attributes: qeReport.attributes.with(0, 0x13) })).toThrow(
      'ATTRIBUTES',
    )
    expect(() => checkQe(identity, { ...qeReport, miscSelect: Uint8Array.of(1, 0, 0, 0) })).toThrow(
      'MISCSELECT',
    )
    const wanted = { ...identity, miscselect: Uint8Array.of(0, 0, 0, 1) }
    checkQe(wanted, { ...qeReport, miscSelect: Uint8Array.of(1, 0, 0, 0) })
  })
})
