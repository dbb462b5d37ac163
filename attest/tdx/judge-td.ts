/** Judges what a TD report says about the TD itself: Intel leaves all of it to the caller (reference order 3.15). */

import { isZero, toHex } from '../bytes.ts'
import type { Factors } from '../policy/factors.ts'
import type { MeasurementSet, Policy } from '../policy/policy.ts'
import type { TdBody } from './quote.ts'
import { measuredAs, ownedAs, registersOf } from './registers.ts'
import { attributeBits, xfamAllowed } from './td.ts'

/** Sets the factors td.* and measurement.allowed. */
export function judgeTd(factors: Factors, body: TdBody, policy: Policy): void {
  judgeAttributes(factors, body)
  judgeService(factors, body)
  judgeMeasurements(factors, body, policy)
}

function judgeAttributes(factors: Factors, { tdAttributes, xfam }: TdBody): void {
  const attributes = attributeBits(tdAttributes)
  factors.expect(
    'td.debug',
    !attributes.debug,
    'no debug bit is set',
    'a debug or profiling bit is set: the TD can be read',
  )
  factors.expect(
    'td.migratable',
    !attributes.migratable,
    'not migratable',
    'the TD can be migrated by an unverified service',
  )
  factors.expect(
    'td.sept-ve-disable',
    attributes.septVeDisable,
    'SEPT_VE_DISABLE is set',
    'SEPT_VE_DISABLE is clear: a hostile host can make the guest see changed memory as new',
  )
  factors.expect(
    'td.attributes',
    !attributes.unknown,
    'no unknown attribute is set',
    `TD attributes ${toHex(tdAttributes)} set an unknown bit`,
  )
  factors.expect(
    'td.xfam',
    xfamAllowed(xfam),
    'only known features',
    `XFAM ${toHex(xfam)} lacks x87 or SSE, or sets an unknown bit`,
  )
}

function judgeService(factors: Factors, { mrServiceTd }: TdBody): void {
  if (mrServiceTd === undefined) {
    factors.set('td.service', 'not-applicable', 'a TD 1.0 report names no service TD')
    return
  }
  const bad = 'a service TD is bound (MRSERVICETD), and nothing here vouches for it'
  factors.expect('td.service', isZero(mrServiceTd), 'no service TD is bound', bad)
}

function judgeMeasurements(factors: Factors, body: TdBody, { measurements }: Policy): void {
  const registers = registersOf(body)
  const unowned = ownedAs(registers, {})
  if (measurements === undefined) {
    const reason = 'the policy pins no measurements'
    factors.set('measurement.allowed', 'skip', reason)
    factors.set('measurement.complete', 'skip', reason)
    if (unowned) factors.set('td.owner', 'pass', 'MRCONFIGID, MROWNER and MROWNERCONFIG are zero')
    else factors.set('td.owner', 'skip', `MRCONFIGID, MROWNER or MROWNERCONFIG is not zero, and ${reason}`)
    return
  }
  const found = measurements.filter((set) => measuredAs(registers, set))
  factors.expect(
    'measurement.allowed',
    found.length > 0,
    'the measurements are pinned',
    'the measurements are not pinned',
  )
  judgeComplete(factors, found)
  factors.expect(
    'td.owner',
    found.length > 0 ? found.some((set) => ownedAs(registers, set)) : unowned,
    'MRCONFIGID, MROWNER and MROWNERCONFIG are as pinned',
    'MRCONFIGID, MROWNER or MROWNERCONFIG is not as pinned',
  )
}

/** An open register is not judged: whatever the host put in there runs unseen. RTMR3 has factors of its own. */
function judgeComplete(factors: Factors, found: readonly MeasurementSet[]): void {
  const open = found.map(({ rtmr }) => [0, 1, 2].filter((i) => rtmr[i] === null))
  const least = open.toSorted((a, b) => a.length - b.length)[0]
  const name = 'measurement.complete'
  if (least === undefined) factors.set(name, 'skip', 'no pinned set of measurements is met')
  else if (least.length === 0) factors.set(name, 'pass', 'the set that is met pins MRTD and RTMR0 to 2')
  else {
    const list = least.map((i) => `RTMR${i}`).join(', ')
    factors.set(
      name,
      'skip',
      `the set that is met leaves ${list} open: what the host put there is not judged`,
    )
  }
}
