export * from './collateral.ts'
export * from './tee.ts'
