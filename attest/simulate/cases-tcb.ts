/** Cases about TCB levels: platform, TDX module and quoting enclave, and the quoting enclave's identity. */

import type { TcbStatus } from '../tdx/tcb.ts'
import type { CaseSpec, CaseTable } from './case-spec.ts'
import { type CollateralSpec, level, platformLevel } from './collateral.ts'
import { QE, TEE_TCB_SVN } from './quote.ts'

const ADVISORIES = ['SIMULATED-SA-1', 'SIMULATED-SA-2']
const OPEN = ['tcb.status', 'tcb.advisories'] as const

function platformStatus(status: TcbStatus): CaseSpec {
  return {
    summary: `the platform's level is ${status}, with two advisories`,
    failed: OPEN,
    tcbStatus: status,
    collateral: { platformStatus: status, advisories: ADVISORIES },
  }
}

const TD15 = { version: 5, body: 'td15' } as const
const OLD_MODULE = TEE_TCB_SVN.with(0, 5)

/** A TD 1.5 that started under an old module, on a machine that runs the newest now. */
function relaunch(best: string, tcbStatus: TcbStatus, changes: Partial<CaseSpec> = {}): CaseSpec {
  return {
    summary: `a TD started under an old module on a machine that was updated since: ${tcbStatus}`,
    failed: OPEN,
    tcbStatus,
    forgery: { wire: TD15, report: { teeTcbSvn: OLD_MODULE, teeTcbSvn2: TEE_TCB_SVN } },
    collateral: { editTcbInfo: (json) => relaunchLevels(json, best) },
    ...changes,
  }
}

function relaunchLevels(json: Parameters<NonNullable<CollateralSpec['editTcbInfo']>>[0], best: string): void {
  json.tcbLevels = [platformLevel({}, best)]
  for (const module of json.tdxModuleIdentities) {
    module.tcbLevels = [level({ isvsvn: 7 }), level({ isvsvn: 5 }, 'OutOfDate', ADVISORIES)]
  }
}

const outOfDate: Partial<CollateralSpec> = { platformStatus: 'OutOfDate', advisories: ADVISORIES }

export const TCB_CASES: CaseTable = {
  'platform-sw-hardening-needed': platformStatus('SWHardeningNeeded'),
  'platform-configuration-needed': platformStatus('ConfigurationNeeded'),
  'platform-configuration-and-sw-hardening-needed': platformStatus('ConfigurationAndSWHardeningNeeded'),
  'platform-out-of-date': platformStatus('OutOfDate'),
  'platform-out-of-date-configuration-needed': platformStatus('OutOfDateConfigurationNeeded'),
  'platform-revoked': platformStatus('Revoked'),
  'platform-revoked-allowed': {
    ...platformStatus('Revoked'),
    summary: 'a Revoked platform, under a policy that names that status: it is refused all the same',
    failed: ['tcb.status'],
    policy: { tcb: { statuses: ['Revoked'], advisories: ADVISORIES } },
  },
  'platform-without-level': {
    summary: 'a platform below every level of the TCB info',
    failed: ['tcb.status'],
    collateral: { unreachable: true },
  },
  'microcode-without-level': {
    summary: 'TDX microcode below every level of the TCB info',
    failed: ['tcb.status'],
    forgery: { report: { teeTcbSvn: TEE_TCB_SVN.with(2, 2) } },
  },
  'status-allowed': {
    summary: 'an OutOfDate platform, under a policy that names the status and every advisory',
    tcbStatus: 'OutOfDate',
    collateral: outOfDate,
    policy: { tcb: { statuses: ['OutOfDate'], advisories: ADVISORIES } },
  },
  'status-allowed-not-advisory': {
    summary: 'an OutOfDate platform, under a policy that names the status and only one of two advisories',
    failed: ['tcb.advisories'],
    tcbStatus: 'OutOfDate',
    collateral: outOfDate,
    policy: { tcb: { statuses: ['OutOfDate'], advisories: ADVISORIES.slice(0, 1) } },
  },
  'levels-unordered': {
    summary: 'good evidence: the TCB info lists its levels from old to new',
    tcbStatus: 'UpToDate',
    collateral: {
      editTcbInfo: (json) => {
        json.tcbLevels.unshift(platformLevel({ pceSvn: 1 }, 'OutOfDate', ADVISORIES))
      },
    },
  },
  'module-out-of-date': {
    summary: 'an old TDX module makes an UpToDate platform OutOfDate',
    failed: OPEN,
    tcbStatus: 'OutOfDate',
    collateral: { moduleStatus: 'OutOfDate', moduleAdvisories: ADVISORIES },
  },
  'module-out-of-date-configuration': {
    summary: 'an old TDX module on a platform that needs configuration',
    failed: OPEN,
    tcbStatus: 'OutOfDateConfigurationNeeded',
    collateral: {
      platformStatus: 'ConfigurationNeeded',
      moduleStatus: 'OutOfDate',
      moduleAdvisories: ADVISORIES,
    },
  },
  'module-revoked': {
    summary: 'a revoked TDX module',
    failed: ['seam.module', ...OPEN],
    tcbStatus: 'Revoked',
    collateral: { moduleStatus: 'Revoked', moduleAdvisories: ADVISORIES },
  },
  'qe-out-of-date': {
    summary: 'an old quoting enclave makes an UpToDate platform OutOfDate',
    failed: ['qe.tcb', ...OPEN],
    tcbStatus: 'OutOfDate',
    collateral: { qeStatus: 'OutOfDate', qeAdvisories: ADVISORIES },
  },
  'qe-out-of-date-sw-hardening': {
    summary: 'an old quoting enclave on a platform that needs hardened software',
    failed: ['qe.tcb', ...OPEN],
    tcbStatus: 'OutOfDate',
    collateral: { platformStatus: 'SWHardeningNeeded', qeStatus: 'OutOfDate', qeAdvisories: ADVISORIES },
  },
  'qe-revoked': {
    summary: 'a revoked quoting enclave',
    failed: ['qe.tcb', ...OPEN],
    tcbStatus: 'Revoked',
    collateral: { qeStatus: 'Revoked', qeAdvisories: ADVISORIES },
  },
  'qe-without-level': {
    summary: 'a quoting enclave older than any that the QE identity lists',
    failed: ['qe.tcb', 'tcb.status'],
    forgery: { qe: { isvSvn: QE.isvSvn - 1 } },
  },
  'qe-signer': {
    summary: 'a quoting enclave that somebody else signed',
    failed: ['qe.identity'],
    forgery: { qe: { mrSigner: new Uint8Array(32) } },
  },
  'qe-product': {
    summary: 'another enclave of the same signer',
    failed: ['qe.identity'],
    forgery: { qe: { isvProdId: QE.isvProdId - 1 } },
  },
  'qe-debug': {
    summary: 'a quoting enclave in debug mode',
    failed: ['qe.identity'],
    forgery: { qe: { attributes: QE.attributes.with(0, 0x13) } },
  },
  'qe-miscselect': {
    summary: 'a quoting enclave with another MISCSELECT',
    failed: ['qe.identity'],
    forgery: { qe: { miscSelect: Uint8Array.of(1, 0, 0, 0) } },
  },
  'relaunch-advised': relaunch('UpToDate', 'TDRelaunchAdvised'),
  'relaunch-advised-configuration': relaunch('ConfigurationNeeded', 'TDRelaunchAdvisedConfigurationNeeded'),
  'relaunch-not-updated': relaunch('UpToDate', 'OutOfDate', {
    summary: 'a TD started under an old module on a machine that still runs it: OutOfDate',
    forgery: { wire: TD15, report: { teeTcbSvn: OLD_MODULE, teeTcbSvn2: OLD_MODULE } },
  }),
  'relaunch-td10': relaunch('UpToDate', 'OutOfDate', {
    summary: 'the same TD with a TD 1.0 report, which cannot say what is loaded now: OutOfDate',
    forgery: { report: { teeTcbSvn: OLD_MODULE } },
  }),
}
