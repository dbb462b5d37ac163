export { INTEL_PCS } from './address.ts'
export type { CacheOptions, CollateralStore } from './cache.ts'
export * from './errors.ts'
export type { Fetch } from './http.ts'
export { collateralFromPcs, type PcsOptions } from './pcs.ts'
export {
  type CollateralSource,
  type ObtainedCollateral,
  type PinnedRoot,
  type Subject,
  subjectOf,
} from './source.ts'
