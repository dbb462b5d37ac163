export * from './bundle.ts'
export {
  type Claims,
  claimsDigest,
  EvidenceError,
  encodeClaims,
  epochClaims,
  MAX_CLAIMS,
  parseClaims,
} from './claims.ts'
export * from './verify.ts'
