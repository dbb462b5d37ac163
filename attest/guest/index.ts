/** A process inside a TDX guest: quotes, registers, event log, GPU evidence. Needs Node. See README.md. */

export { readCcel } from './ccel.ts'
export { errnoOf, GuestError, type GuestErrorCode } from './errors.ts'
export { type Files, NodeFiles } from './files.ts'
export { collectGpuEvidence, type GpuEvidenceOptions, NVATTEST } from './gpu.ts'
export { GuestLock, lockHolder } from './lock.ts'
export { type Check, type PreflightOptions, preflight } from './preflight.ts'
export { findGuestProblem, findReportProblem, isTd, type Problem, problemError } from './probe.ts'
export { quoteFromConfigfs } from './quote.ts'
export { extendRtmr3, type Measurements, readMeasurements } from './registers.ts'
export { type Exec, type ExecResult, nodeExec, type Sleep, sleep } from './system.ts'
export {
  type GuestMachine,
  LOCK_FILE,
  RUNTIME_FOLDER,
  TdxGuest,
  type TdxGuestOptions,
} from './tdx-guest.ts'
