/** The public face of attest: evidence, policy, quotes and the simulated TEE. */

export * from './bytes.ts'
export * from './errors.ts'
export * from './evidence/index.ts'
export * from './policy/index.ts'
export * from './simulate/index.ts'
export * from './tdx/index.ts'
