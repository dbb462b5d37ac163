export * from './collateral.ts'
export * from './gpu.ts'
export * from './network.ts'
export * from './tee.ts'
