export * from './answer.ts'
export * from './bundle.ts'
export * from './cache.ts'
export { cautions } from './cautions.ts'
export {
  type Claims,
  claimsDigest,
  EvidenceError,
  encodeClaims,
  epochClaims,
  MAX_CLAIMS,
  parseClaims,
} from './claims.ts'
export { configurationDigest, MAX_EPOCH } from './judge-claims.ts'
export { platformRevocationKey, type RegistrySubject, registryObjection } from './judge-registry.ts'
export * from './verdict.ts'
export * from './verify.ts'
