/** Takes requests to workers: slot, reservation, seal, stream, receipt, charge. */

export { Dispatcher, type DispatcherOptions } from './dispatcher.ts'
export type { GatewaySigner } from './seal-to.ts'
export { channelsInUse, type DispatchLedger } from './settle.ts'
export * from './types.ts'
