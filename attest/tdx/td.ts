/** What the attribute fields of a TD report mean. */

/** TDATTRIBUTES by meaning; bits of Linux' arch/x86/include/asm/shared/tdx.h. */
export function attributeBits(bytes: Uint8Array): {
  debug: boolean
  migratable: boolean
  septVeDisable: boolean
  unknown: boolean
} {
  const bits = littleEndian(bytes)
  const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n
  // Known and harmless: SEPT_VE_DISABLE 28, PKS 30, KL 31, PERFMON 63. Debug bits and 29 have their own factors.
  const known = (1n << 28n) | (1n << 29n) | (1n << 30n) | (1n << 31n) | (1n << 63n) | 0xffn
  return {
    debug: (bits & 0xffn) !== 0n,
    migratable: has(29n),
    septVeDisable: has(28n),
    unknown: (bits & ~known) !== 0n,
  }
}

/** XFAM: x87 and SSE must be on, and nothing outside the features that TDX defines. */
export function xfamAllowed(bytes: Uint8Array): boolean {
  const bits = littleEndian(bytes)
  return (bits & 3n) === 3n && (bits & ~0x0006dbe7n) === 0n
}

function littleEndian(bytes: Uint8Array): bigint {
  let bits = 0n
  for (const byte of bytes.toReversed()) bits = (bits << 8n) | BigInt(byte)
  return bits
}
