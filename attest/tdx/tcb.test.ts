import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleTee } from '../evidence/testing.ts'
import { makeCollateral } from '../simulate/collateral.ts'
import { PLATFORM } from '../simulate/platform.ts'
import { parseCertificate } from '../x509/index.ts'
import { readPckPlatform } from './pck.ts'
import { parseQuote, QuoteError } from './quote.ts'
import {
  checkQe,
  converge,
  type IsvStatus,
  parseQeIdentity,
  parseTcbInfo,
  type TcbStatus,
  tcbLevel,
} from './tcb.ts'

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

function isv(isvsvn: number, tcbStatus: IsvStatus, advisoryIDs: string[] = []): Json {
  return { tcb: { isvsvn }, tcbDate: '2026-01-01T00:00:00Z', tcbStatus, advisoryIDs }
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

  it.each<[TcbStatus, IsvStatus, TcbStatus]>([
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
    ['TDRelaunchAdvised', 'UpToDate', 'TDRelaunchAdvised'],
  ])('%s with %s is %s', (a, b, together) => {
    expect(converge(a, b)).toBe(together)
  })

  it('judges by the newest level that is reached, in whatever order a document lists them', () => {
    const levels = [
      level('OutOfDate', {}),
      level('ConfigurationNeeded', { sgx: [3], pcesvn: 12 }),
      level('UpToDate', { sgx: [3], tdx: [0, 0, 3], pcesvn: 13 }),
      level('SWHardeningNeeded', { sgx: [3], tdx: [0, 0, 3], pcesvn: 12 }),
    ]
    const modules = [isv(5, 'OutOfDate'), isv(7, 'UpToDate'), isv(2, 'Revoked')]
    const shuffled = info((json) => {
      json.tcbLevels.splice(0, 9, ...levels)
      for (const module of json.tdxModuleIdentities) module.tcbLevels = modules
    })
    expect(shuffled.tcbLevels.map((entry) => entry.tcbStatus)).toEqual([
      'UpToDate',
      'SWHardeningNeeded',
      'ConfigurationNeeded',
      'OutOfDate',
    ])
    expect(shuffled.tdxModuleIdentities[0]?.tcbLevels.map((entry) => entry.tcb.isvsvn)).toEqual([7, 5, 2])
    expect(tcbLevel(shuffled, identity, platform, quote).status).toBe('UpToDate')
  })
})

describe('relaunch advice', () => {
  // The TD started under module version 5 and old microcode; version 7 and microcode 3 are loaded now.
  const old = quote.body.teeTcbSvn.with(0, 5).with(2, 2)
  const body = { ...quote.body, teeTcbSvn: old, teeTcbSvn2: quote.body.teeTcbSvn }
  const newest = { tdx: [0, 0, 3] }

  function judge(levels: Json[], changed: Partial<typeof body> = {}, qe: IsvStatus = 'UpToDate') {
    const of = info((json) => {
      json.tcbLevels.splice(0, 9, ...levels)
      for (const module of json.tdxModuleIdentities)
        module.tcbLevels = [isv(7, 'UpToDate'), isv(5, 'OutOfDate', ['A'])]
    })
    const enclave = {
      ...identity,
      tcbLevels: identity.tcbLevels.map((entry) => ({ ...entry, tcbStatus: qe })),
    }
    return tcbLevel(of, enclave, platform, { ...quote, body: { ...body, ...changed } })
  }
  const both = (best: TcbStatus, other: TcbStatus = 'OutOfDate'): Json[] => [
    level(best, newest),
    level(other, {}),
  ]

  it('is given when only the module that started this TD is old', () => {
    expect(judge(both('UpToDate'))).toEqual({ status: 'TDRelaunchAdvised', advisories: ['A'] })
    expect(judge(both('SWHardeningNeeded')).status).toBe('TDRelaunchAdvised')
    const configuration = 'TDRelaunchAdvisedConfigurationNeeded'
    expect(judge(both('ConfigurationNeeded')).status).toBe(configuration)
    expect(judge(both('ConfigurationAndSWHardeningNeeded')).status).toBe(configuration)
    expect(judge(both('UpToDate', 'OutOfDateConfigurationNeeded')).status).toBe(configuration)
    // The module alone makes an up-to-date platform level out of date.
    expect(judge([level('UpToDate', { tdx: [0, 0, 2] })]).status).toBe('TDRelaunchAdvised')
  })

  it('asks for the newest module and microcode to be loaded now', () => {
    const loaded = body.teeTcbSvn2
    for (const teeTcbSvn2 of [old, loaded.with(0, 6), loaded.with(2, 2)])
      expect(judge(both('UpToDate'), { teeTcbSvn2 }).status).toBe('OutOfDate')
    expect(() => judge(both('UpToDate'), { teeTcbSvn2: loaded.with(1, 9) })).toThrow('TDX_09')
    // Without a module identity the first component of the newest level is the module's version.
    const plain = { teeTcbSvn2: loaded.with(1, 0) }
    expect(judge([level('UpToDate', { tdx: [7, 0, 3] }), level('OutOfDate', {})], plain).status).toBe(
      'TDRelaunchAdvised',
    )
    expect(judge([level('UpToDate', { tdx: [8, 0, 3] }), level('OutOfDate', {})], plain).status).toBe(
      'OutOfDate',
    )
  })

  it('is not given where anything but the module is old', () => {
    expect(judge(both('UpToDate'), { teeTcbSvn2: undefined as never }).status).toBe('OutOfDate')
    expect(judge(both('UpToDate'), {}, 'OutOfDate').status).toBe('OutOfDate')
    expect(judge(both('UpToDate'), {}, 'Revoked').status).toBe('Revoked')
    // The SGX part of the platform reaches no current level.
    const sgx = [level('UpToDate', { sgx: [4], tdx: [0, 0, 3] }), level('OutOfDate', {})]
    expect(judge(sgx).status).toBe('OutOfDate')
    expect(judge(both('UpToDate', 'Revoked')).status).toBe('Revoked')
    // The module is up to date, and the microcode at its start was not.
    expect(judge(both('UpToDate'), { teeTcbSvn: old.with(0, 7) }).status).toBe('OutOfDate')
  })
})

function modules(status: string): Json {
  const { tdxModuleIdentities } = JSON.parse(collateral.tcb_info) as { tdxModuleIdentities: Json[] }
  return { ...tdxModuleIdentities[0], tcbLevels: [isv(7, status as IsvStatus)] }
}

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
    [
      'a conclusion in place of a status',
      (json) =>
        Object.assign((json as { tcbLevels: Json[] }).tcbLevels[0] ?? {}, { tcbStatus: 'TDRelaunchAdvised' }),
      'tcbStatus',
    ],
    [
      'a status that modules do not have',
      (json) => Object.assign(json, { tdxModuleIdentities: [modules('SWHardeningNeeded')] }),
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
    // What is expected outside its mask can be met by no enclave.
    const unmet = { ...identity, miscselectMask: Uint8Array.of(0, 0, 0, 0), miscselect: wanted.miscselect }
    expect(() => checkQe(unmet, { ...qeReport, miscSelect: Uint8Array.of(1, 0, 0, 0) })).toThrow('MISCSELECT')
  })

  it('are read or refused with a typed error, whatever is written in them', () => {
    const original: Json = JSON.parse(collateral.tcb_info)
    const paths = Object.keys(original)
    const junk = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(-1, 1.5, 2 ** 53, '', '0'.repeat(96), 'UpToDate', '2026-02-30T00:00:00Z'),
    )
    fc.assert(
      fc.property(fc.constantFrom(...paths), junk, fc.jsonValue(), (name, value, whole) => {
        for (const text of [JSON.stringify({ ...original, [name]: value }), JSON.stringify(whole)])
          for (const parse of [parseTcbInfo, parseQeIdentity]) {
            try {
              parse(text)
            } catch (error) {
              expect(error).toBeInstanceOf(QuoteError)
            }
          }
      }),
      { numRuns: 150 },
    )
    expect(() => parseTcbInfo('['.repeat(60_000))).toThrow(QuoteError)
  })
})
