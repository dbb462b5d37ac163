/** The worker: an enclave that answers sealed requests with a model of its own, and the link that brings them. */

export { type Clock, systemClock } from './clock.ts'
export { readSettings, type WorkerSettings, workerSettings } from './config.ts'
export { Account, Earnings, EarningsError, type EarningsOptions } from './earnings/index.ts'
export {
  type Offer,
  type ResponseSink,
  type ServeTerms,
  Worker,
  type WorkerOptions,
} from './enclave/index.ts'
export { GatewayRefused, Link, type LinkOptions } from './link/index.ts'
export type { Log } from './log.ts'
export { type ReadyLine, type RunningWorker, runWorker, type WorkerSurroundings } from './run.ts'
export type { WorkerState, WorkerStatus } from './status.ts'
