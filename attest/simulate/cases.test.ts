import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { refusalReasons, verifyEvidence } from '../evidence/index.ts'
import { FACTORS } from '../policy/factors.ts'
import { decodePolicy } from '../policy/policy.ts'
import { TCB_STATUSES } from '../tdx/tcb.ts'
import { CASES, makeCase } from './cases.ts'

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0, 345)

it('every factor of a verdict fails in some case, or is missing where nothing can fail', () => {
  const against = CASES.flatMap(({ failedFactors, missingFactors }) => [...failedFactors, ...missingFactors])
  expect(FACTORS.filter((name) => !against.includes(name))).toEqual([])
})

it('every TCB status that Intel defines is reached by some case', () => {
  const reached = new Set(CASES.map(({ tcbStatus }) => tcbStatus))
  expect(TCB_STATUSES.filter((status) => !reached.has(status))).toEqual([])
})

describe('simulated cases', () => {
  it.each(CASES.map((info) => [info.name, info] as const))('%s', async (name, info) => {
    const made = await makeCase(name, { now: NOW })
    const { bundle, nonce, now } = made
    const policy = decodePolicy(utf8(String(made.files.get('policy.json'))))
    const verdict = await verifyEvidence(bundle, { policy, nonce, now: () => now })
    const failed = verdict.factors.filter(({ result }) => result === 'fail').map((factor) => factor.name)
    const why = refusalReasons(verdict).join('\n')
    expect(failed.toSorted(), why).toEqual(info.failedFactors.toSorted())
    expect(verdict.verdict, why).toBe(info.expected)
    if (failed.length === 0) {
      const missing = refusalReasons(verdict).map((reason) => reason.slice(0, reason.indexOf(':')))
      expect(missing.toSorted()).toEqual(info.missingFactors.toSorted())
    }
    if (info.tcbStatus !== undefined) expect(verdict.tcbStatus).toBe(info.tcbStatus)
  })
})
