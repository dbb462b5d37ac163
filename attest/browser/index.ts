/** The part of attest that judges, and nothing that needs Node: what the browser bundle exports. */

export * from '../bytes.ts'
export * from '../errors.ts'
export * from '../evidence/index.ts'
export type { GpuTools } from '../gpu/judge.ts'
export * from '../policy/index.ts'
export * from '../tdx/index.ts'
