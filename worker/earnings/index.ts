export { Account, type Obstacle, type Standing } from './account.ts'
export { Collector, type CollectorOptions } from './collector.ts'
export { Earnings, type EarningsOptions } from './earnings.ts'
export { EarningsError, type EarningsErrorCode } from './errors.ts'
