/** The lowest TCB evaluation number that a verifier takes, by its clock. */

/** The floor that a policy sets at `now` (ms): its number, the dated table's, or none. */
export function evaluationFloor(floor: number | 'dated' | undefined, now: number): number | undefined {
  return floor === 'dated' ? dated(now) : floor
}

/** TODO(TDX helper): the dated table. */
function dated(_now: number): number {
  return 0
}
