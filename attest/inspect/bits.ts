/** Names of the bits of a TD's attributes and of its extended features. */

import { count } from './text.ts'

/** TDATTRIBUTES by bit: Linux, arch/x86/include/asm/shared/tdx.h. */
const ATTRIBUTES: Readonly<Record<number, string>> = {
  0: 'DEBUG',
  4: 'HGS_PLUS_PROF',
  5: 'PERF_PROF',
  6: 'PMT_PROF',
  16: 'ICSSD',
  27: 'LASS',
  28: 'SEPT_VE_DISABLE',
  29: 'MIGRATABLE',
  30: 'PKS',
  31: 'KL',
  62: 'TPA',
  63: 'PERFMON',
}

/** XFAM by bit: the components of XSAVE state (Intel SDM volume 1, 13.1). */
const FEATURES: Readonly<Record<number, string>> = {
  0: 'x87',
  1: 'SSE',
  2: 'AVX',
  5: 'AVX-512 opmask',
  6: 'AVX-512 ZMM_Hi256',
  7: 'AVX-512 Hi16_ZMM',
  8: 'PT',
  9: 'PKRU',
  10: 'PASID',
  11: 'CET user',
  12: 'CET supervisor',
  14: 'UINTR',
  15: 'LBR',
  17: 'AMX tile configuration',
  18: 'AMX tile data',
}

/** TDATTRIBUTES (8 bytes, little endian) in words. */
export function attributesInWords(bytes: Uint8Array): string {
  return names(bytes, ATTRIBUTES)
}

/** XFAM (8 bytes, little endian) in words. */
export function featuresInWords(bytes: Uint8Array): string {
  return names(bytes, FEATURES)
}

function names(bytes: Uint8Array, table: Readonly<Record<number, string>>): string {
  const set = [...bytes].flatMap((byte, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => i * 8 + bit),
  )
  const known = set.flatMap((bit) => table[bit] ?? [])
  const unknown = set.filter((bit) => table[bit] === undefined)
  if (set.length === 0) return 'no bit set'
  const rest = unknown.length === 0 ? [] : [`${count(unknown.length, 'unknown bit')}: ${unknown.join(', ')}`]
  return [...known, ...rest].join(', ')
}
