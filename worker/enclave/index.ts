export { EngineHost, ModelChanged } from './engine-host.ts'
export { RECEIPT_MS, RECEIPT_TOKENS } from './receipts.ts'
export type { KeptReceipt, Offer, ResponseSink, ServeTerms, StopReason, TaskRunner } from './types.ts'
export { type FreshEvidence, PATHS, Worker, type WorkerOptions } from './worker.ts'
