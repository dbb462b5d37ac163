import { describe, expect, it } from 'vitest'
import { evaluationFloor, evaluationFloorAt } from './evaluation-floor.ts'
import { haveVectors, type VectorCase, vectorJson } from './testing.ts'

const at = (time: string) => evaluationFloorAt(Date.parse(time))

describe('evaluation floor', () => {
  it('rises with time, each number a document’s life after it was first issued', () => {
    expect(at('2020-01-01T00:00:00Z')).toMatchObject({ tcbInfo: 0, qeIdentity: 0 })
    expect(at('2025-06-20T00:00:00Z')).toMatchObject({ tcbInfo: 17, qeIdentity: 17 })
    expect(at('2026-02-26T23:59:59.999Z')).toMatchObject({ tcbInfo: 17, qeIdentity: 17 })
    expect(at('2026-02-27T00:00:00Z')).toMatchObject({ tcbInfo: 18, qeIdentity: 18 })
    expect(at('2026-06-30T23:59:59.999Z')).toMatchObject({ tcbInfo: 18, qeIdentity: 18 })
    expect(at('2026-07-01T00:00:00Z')).toMatchObject({ tcbInfo: 19, qeIdentity: 19 })
    expect(at('2026-09-13T00:00:00Z')).toEqual({ tcbInfo: 20, qeIdentity: 19, until: undefined })
  })

  it('never falls, and says when it changes next', () => {
    let now = 0
    let changes = 0
    for (let floor = evaluationFloorAt(now); floor.until !== undefined; changes++) {
      expect(floor.until).toBeGreaterThan(now)
      expect(evaluationFloorAt(floor.until - 1)).toEqual(floor)
      now = floor.until
      const next = evaluationFloorAt(now)
      expect(next.tcbInfo).toBeGreaterThanOrEqual(floor.tcbInfo)
      expect(next.qeIdentity).toBeGreaterThanOrEqual(floor.qeIdentity)
      expect(next.tcbInfo + next.qeIdentity).toBeGreaterThan(floor.tcbInfo + floor.qeIdentity)
      floor = next
    }
    expect(changes).toBeGreaterThan(3)
  })

  it('is the policy’s own number where it names one, for both documents', () => {
    expect(evaluationFloor(undefined, 0)).toBeUndefined()
    expect(evaluationFloor(7, 0)).toEqual({ tcbInfo: 7, qeIdentity: 7, until: undefined })
    const now = Date.parse('2026-10-01T00:00:00Z')
    expect(evaluationFloor('dated', now)).toEqual(evaluationFloorAt(now))
  })

  it.skipIf(!haveVectors())('is reached by every real document on every day of its life', () => {
    const { cases } = vectorJson<{ cases: VectorCase[] }>('tdx/index.json')
    const files = new Set(cases.map(({ collateral }) => collateral).filter((file) => !file.includes('sgx_')))
    expect(files.size).toBeGreaterThan(5)
    for (const file of files) {
      const collateral = vectorJson<{ tcb_info: string; qe_identity: string }>(file)
      for (const [key, text] of [
        ['tcbInfo', collateral.tcb_info],
        ['qeIdentity', collateral.qe_identity],
      ] as const) {
        const { nextUpdate, tcbEvaluationDataNumber: number } = JSON.parse(text)
        expect(number, `${file} ${key}`).toBeGreaterThanOrEqual(
          evaluationFloorAt(Date.parse(nextUpdate))[key],
        )
      }
    }
  })
})
