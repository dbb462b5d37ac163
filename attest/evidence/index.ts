export * from './bundle.ts'
export * from './claims.ts'
export * from './verify.ts'
