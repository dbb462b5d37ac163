export * from './collateral.ts'
export * from './network.ts'
export * from './tee.ts'
