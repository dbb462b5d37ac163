/**
 * The lowest TCB evaluation numbers that Intel's documents may carry, by date. Intel serves older evaluations under
 * fresh dates to whoever asks for them, so a prover could choose the set in which its platform still counts as up to
 * date; nothing in the signed data forbids it. The floor does.
 */

/** How long Intel's TCB info and QE identity are valid, ms. */
const DOCUMENT_LIFE = 30 * 86_400_000

interface Entry {
  /** A document issued at or after this moment carries at least these numbers. UTC. */
  issuedFrom: string
  tcbInfo: number
  qeIdentity: number
}

/*
 * Source of each entry: the issue date and number of Intel's own documents as public repositories have kept them
 * (TCB info and QE identity of `update=standard`, the default of the service). An entry may be added when documents
 * with the new number are seen and none with the old is issued any more; numbers never go down.
 */
const TABLE: readonly Entry[] = [
  // TCB info of FMSPC 50806f000000 issued 2023-06-18, QE identity issued 2023-06-08.
  { issuedFrom: '2023-06-19T00:00:00Z', tcbInfo: 15, qeIdentity: 15 },
  // Every document of 2025 seen; among them b0c06f000000 of 2025-06-19 and 00806f050000 of 2025-07-07.
  { issuedFrom: '2025-01-01T00:00:00Z', tcbInfo: 17, qeIdentity: 17 },
  // 00806f050000 issued 2026-01-27, both documents; 90c06f000000 of 2026-02-18.
  { issuedFrom: '2026-01-28T00:00:00Z', tcbInfo: 18, qeIdentity: 18 },
  // Both documents of May 2026; 90c06f000000 of 2026-06-08.
  { issuedFrom: '2026-06-01T00:00:00Z', tcbInfo: 19, qeIdentity: 19 },
  // b0c06f000000 issued 2026-08-13. The QE identity of the day before still says 19, and no later one is known.
  { issuedFrom: '2026-08-14T00:00:00Z', tcbInfo: 20, qeIdentity: 19 },
]

interface EvaluationFloor {
  tcbInfo: number
  qeIdentity: number
  /** When the next entry takes effect, ms; undefined after the last. */
  until: number | undefined
}

/**
 * The floor at `now` (ms). An entry takes effect a document's life (30 days) after its date: until then a document
 * issued before it is still in date, and refusing it would refuse honest provers.
 */
export function evaluationFloorAt(now: number): EvaluationFloor {
  let floor = { tcbInfo: 0, qeIdentity: 0 }
  for (const { issuedFrom, tcbInfo, qeIdentity } of TABLE) {
    const from = Date.parse(issuedFrom) + DOCUMENT_LIFE
    if (now < from) return { ...floor, until: from }
    floor = { tcbInfo, qeIdentity }
  }
  return { ...floor, until: undefined }
}

/** The floor that a policy sets at `now` (ms): one number for both documents, the dated table's, or none. */
export function evaluationFloor(
  floor: number | 'dated' | undefined,
  now: number,
): EvaluationFloor | undefined {
  if (floor === undefined) return undefined
  return floor === 'dated' ? evaluationFloorAt(now) : { tcbInfo: floor, qeIdentity: floor, until: undefined }
}
