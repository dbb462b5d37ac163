/** Cases about the TD's own report: attributes, features, owner, service TD, module. */

import { fromHex, toHex } from '../bytes.ts'
import type { MeasurementSet } from '../policy/policy.ts'
import { simulated } from '../policy/presets.ts'
import type { CaseContext, CaseTable } from './case-spec.ts'
import { simulatedEventLog } from './eventlog.ts'
import { TEE_TCB_SVN, tdReport } from './quote.ts'

const V5 = { wire: { version: 5 } } as const
const TD15 = { version: 5, body: 'td15' } as const

/** The measurements of the case's own boot, as a policy would pin them. */
export function measurements({ boot }: CaseContext, changes: Partial<MeasurementSet> = {}): MeasurementSet[] {
  const [r0, r1, r2, r3] = simulatedEventLog(boot).rtmr.map(toHex) as [string, string, string, string]
  return [{ mrTd: toHex(tdReport(boot.software).mrTd), rtmr: [r0, r1, r2, r3], ...changes }]
}

const attributes = (hex: string) => ({ report: { tdAttributes: fromHex(hex) } })
const xfam = (hex: string) => ({ report: { xfam: fromHex(hex) } })

export const TD_CASES: CaseTable = {
  good: { summary: 'good evidence: a version 4 quote of a TD 1.0' },
  'good-v5-td10': { summary: 'good evidence: a version 5 quote of a TD 1.0', forgery: V5 },
  'good-v5-td15': { summary: 'good evidence: a version 5 quote of a TD 1.5', forgery: { wire: TD15 } },
  'good-padding': {
    summary: 'good evidence: the quote is padded with zeros, as quoting services do',
    forgery: { wire: { padding: new Uint8Array(70) } },
  },
  'good-attributes': {
    summary: 'good evidence: protection keys and performance monitoring are on',
    forgery: attributes('0000005000000080'),
  },
  'good-pinned': {
    summary: 'good evidence: the policy pins the measurements of this boot',
    policy: (context) => ({ measurements: measurements(context) }),
  },
  debug: {
    summary: 'a debug TD: its host can read and change its memory',
    failed: ['td.debug'],
    forgery: attributes('0100001000000000'),
  },
  'debug-profiling': {
    summary: 'a TD under performance profiling, one of the debug bits',
    failed: ['td.debug'],
    forgery: attributes('2000001000000000'),
  },
  migratable: {
    summary: 'a TD that an unverified service may migrate',
    failed: ['td.migratable'],
    forgery: attributes('0000003000000000'),
  },
  'attributes-unknown': {
    summary: 'a TD attribute that nobody has defined',
    failed: ['td.attributes'],
    forgery: attributes('0001001000000000'),
  },
  'attributes-unknown-high': {
    summary: 'an undefined attribute among the upper bits',
    failed: ['td.attributes'],
    forgery: attributes('0000001000000001'),
  },
  'sept-ve-disable-clear': {
    summary: 'SEPT_VE_DISABLE is clear, so that a host can show changed memory as new',
    failed: ['td.sept-ve-disable'],
    forgery: attributes('0000000000000000'),
  },
  'xfam-without-sse': {
    summary: 'extended features without SSE, which a TD always has',
    failed: ['td.xfam'],
    forgery: xfam('e502060000000000'),
  },
  'xfam-unknown': {
    summary: 'an extended feature that TDX does not know',
    failed: ['td.xfam'],
    forgery: xfam('e702060100000000'),
  },
  'service-td': {
    summary: 'a TD 1.5 with a service TD bound to it',
    failed: ['td.service'],
    forgery: { wire: TD15, report: { mrServiceTd: new Uint8Array(48).fill(1) } },
  },
  measurement: {
    summary: 'a TD whose image is not the pinned one',
    failed: ['measurement.allowed'],
    policy: (context) => ({ measurements: measurements(context) }),
    forgery: { report: { mrTd: new Uint8Array(48).fill(1) } },
  },
  'measurement-registers': {
    summary: 'the pinned image, started with another command line',
    failed: ['measurement.allowed'],
    policy: (context) => ({
      measurements: measurements(context, {
        rtmr: [null, null, toHex(simulatedEventLog({ software: 'other', events: [] }).rtmr[2]), null],
      }),
    }),
  },
  'measurement-open': {
    summary: 'the pinned image, under a policy that leaves RTMR0 open and does not forgive that',
    missing: ['measurement.complete'],
    policy: (context) => {
      const { skip } = simulated('00'.repeat(32))
      const [r1, r2] = simulatedEventLog(context.boot).rtmr.slice(1).map(toHex)
      return {
        measurements: measurements(context, { rtmr: [null, r1 ?? null, r2 ?? null, null] }),
        skip: skip.filter((name) => name !== 'measurement.complete'),
      }
    },
  },
  configuration: {
    summary: 'a configuration that the policy does not allow',
    failed: ['configuration.allowed'],
    policy: { configurations: ['00'.repeat(32)] },
  },
  owner: {
    summary: 'a TD that somebody owns (MROWNER), where the pinned one has no owner',
    failed: ['td.owner'],
    policy: (context) => ({ measurements: measurements(context) }),
    forgery: { report: { mrOwner: new Uint8Array(48).fill(1) } },
  },
  'configuration-id': {
    summary: 'a TD with another MRCONFIGID than the pinned one',
    failed: ['td.owner'],
    policy: (context) => ({ measurements: measurements(context, { mrConfigId: '01'.repeat(48) }) }),
  },
  'seam-signer': {
    summary: 'a TDX module that somebody else signed',
    failed: ['seam.signer'],
    forgery: { report: { mrSignerSeam: new Uint8Array(48).fill(1) } },
  },
  'seam-attributes': {
    summary: 'a TDX module that runs with attributes, as a debug module does',
    failed: ['seam.attributes'],
    forgery: { report: { seamAttributes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) } },
  },
  'seam-attributes-listed': {
    summary:
      'a TDX module with attributes, under TCB info that lists them: they have to be zero all the same',
    failed: ['seam.attributes'],
    forgery: { report: { seamAttributes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) } },
    collateral: {
      editTcbInfo: (json) => {
        for (const module of json.tdxModuleIdentities) module.attributes = '0100000000000000'
      },
    },
  },
  'seam-attributes-masked': {
    summary: 'a TDX module with attributes that the mask of the TCB info would hide',
    failed: ['seam.attributes'],
    forgery: { report: { seamAttributes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1) } },
    collateral: {
      editTcbInfo: (json) => {
        for (const module of json.tdxModuleIdentities) module.attributesMask = '0000000000000000'
      },
    },
  },
  'module-unknown': {
    summary: 'a TDX module of a major version that the TCB info does not know',
    failed: ['seam.module', 'tcb.status'],
    forgery: { report: { teeTcbSvn: TEE_TCB_SVN.with(1, 9) } },
  },
  'module-below-levels': {
    summary: 'a TDX module older than any that the TCB info lists',
    failed: ['seam.module', 'tcb.status'],
    forgery: { report: { teeTcbSvn: TEE_TCB_SVN.with(0, 6) } },
  },
  'module-not-listed': {
    summary: 'a genuine TDX module that is not among those the policy allows',
    failed: ['seam.module'],
    policy: { modules: ['ab'.repeat(48)] },
  },
  'module-below-minimum': {
    summary: 'a TEE_TCB_SVN below the minimum of the policy',
    failed: ['seam.module'],
    policy: { minimumTeeTcbSvn: '08010300000000000000000000000000' },
  },
}
