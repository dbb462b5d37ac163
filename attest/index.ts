/** The public face of attest: evidence and its verdict, policy, epoch keys, seal, receipts, the simulated TEE. */

export * from './bytes.ts'
export * from './epoch/index.ts'
export * from './errors.ts'
export * from './evidence/index.ts'
export * from './policy/index.ts'
export * from './receipt/index.ts'
export * from './seal/index.ts'
export * from './simulate/index.ts'
export * from './tdx/index.ts'
