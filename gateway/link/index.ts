/** The gateway's side of the link that workers dial: who is let in, and streams to them. */

export { type Clock, systemClock } from './clock.ts'
export type { PoolOptions, RegistryRules } from './host.ts'
export { WorkerPool } from './pool.ts'
export { type RelayCode, RelayError } from './relay.ts'
export type { LinkStream, StreamItem } from './stream.ts'
export * from './types.ts'
