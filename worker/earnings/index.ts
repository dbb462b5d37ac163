export { Account, Earnings, type EarningsOptions } from './earnings.ts'
export { EarningsError, type EarningsErrorCode } from './errors.ts'
