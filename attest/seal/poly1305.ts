/**
 * Poly1305 (RFC 8439 section 2.5), the authenticator of NaCl's secretbox. Numbers are six limbs of 22 bits, held in
 * doubles: a sum of six products, twentyfold where they wrap, stays below 2^53, so every step is exact. No branch and no
 * index depends on a secret.
 */

const LIMB = 2 ** 22
const PER_LIMB = 2 ** -22
const MASK = LIMB - 1
const BLOCK_BYTES = 16
/** The bit above a whole block, in the topmost limb. */
const TOP = 2 ** 18
/** What of the topmost limb is below 2^130. */
const TOP_MASK = 2 ** 20 - 1

// One call after the other uses these.
const words = new Int32Array(4)
const limbs = new Int32Array(6)
const minus = new Int32Array(6)

/**
 * Writes the 16-byte tag of `message` under a one-time key to the beginning of `tag`.
 *
 * @param key r and s as eight little-endian words
 */
export function poly1305(key: Int32Array, message: Uint8Array, tag: Uint8Array): void {
  const t0 = (key[0] as number) & 0x0fffffff
  const t1 = (key[1] as number) & 0x0ffffffc
  const t2 = (key[2] as number) & 0x0ffffffc
  const t3 = (key[3] as number) & 0x0ffffffc
  const r0 = t0 & MASK
  const r1 = ((t0 >>> 22) | (t1 << 10)) & MASK
  const r2 = ((t1 >>> 12) | (t2 << 20)) & MASK
  const r3 = (t2 >>> 2) & MASK
  const r4 = ((t2 >>> 24) | (t3 << 8)) & MASK
  const r5 = t3 >>> 14
  // 2^132 is 20 modulo 2^130 - 5: what passes the top comes back twentyfold.
  const s1 = 20 * r1
  const s2 = 20 * r2
  const s3 = 20 * r3
  const s4 = 20 * r4
  const s5 = 20 * r5
  let h0 = 0
  let h1 = 0
  let h2 = 0
  let h3 = 0
  let h4 = 0
  let h5 = 0
  for (let at = 0; at < message.length; at += BLOCK_BYTES) {
    const top = readBlock(message, at)
    const m0 = words[0] as number
    const m1 = words[1] as number
    const m2 = words[2] as number
    const m3 = words[3] as number
    h0 += m0 & MASK
    h1 += ((m0 >>> 22) | (m1 << 10)) & MASK
    h2 += ((m1 >>> 12) | (m2 << 20)) & MASK
    h3 += (m2 >>> 2) & MASK
    h4 += ((m2 >>> 24) | (m3 << 8)) & MASK
    h5 += (m3 >>> 14) + top
    const d0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1
    let d1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2
    let d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3
    let d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4
    let d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5
    let d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0
    let c = Math.floor(d0 * PER_LIMB)
    h0 = d0 - c * LIMB
    d1 += c
    c = Math.floor(d1 * PER_LIMB)
    h1 = d1 - c * LIMB
    d2 += c
    c = Math.floor(d2 * PER_LIMB)
    h2 = d2 - c * LIMB
    d3 += c
    c = Math.floor(d3 * PER_LIMB)
    h3 = d3 - c * LIMB
    d4 += c
    c = Math.floor(d4 * PER_LIMB)
    h4 = d4 - c * LIMB
    d5 += c
    c = Math.floor(d5 * PER_LIMB)
    h5 = d5 - c * LIMB
    h0 += 20 * c
    c = Math.floor(h0 * PER_LIMB)
    h0 -= c * LIMB
    h1 += c
  }
  limbs[0] = h0
  limbs[1] = h1
  limbs[2] = h2
  limbs[3] = h3
  limbs[4] = h4
  limbs[5] = h5
  reduce()
  writeTag(key, tag)
  words.fill(0)
  limbs.fill(0)
}

/** Reads 16 bytes, or what there is with the byte 1 behind it, into `words`; returns what is above them. */
function readBlock(message: Uint8Array, at: number): number {
  if (at + BLOCK_BYTES <= message.length) {
    for (let i = 0, from = at; i < 4; i++, from += 4) {
      words[i] =
        (message[from] as number) |
        ((message[from + 1] as number) << 8) |
        ((message[from + 2] as number) << 16) |
        ((message[from + 3] as number) << 24)
    }
    return TOP
  }
  words.fill(0)
  const left = message.length - at
  for (let i = 0; i <= left; i++) {
    const byte = i < left ? (message[at + i] as number) : 1
    words[i >>> 2] = (words[i >>> 2] as number) | (byte << (8 * (i & 3)))
  }
  return 0
}

/** Brings `limbs` below 2^130 - 5. */
function reduce(): void {
  // The first turn carries what the multiplication left; the second what the fold of the first made.
  for (let turn = 0; turn < 2; turn++) {
    carry(limbs)
    const above = (limbs[5] as number) >>> 20
    limbs[5] = (limbs[5] as number) & TOP_MASK
    limbs[0] = (limbs[0] as number) + 5 * above
  }
  carry(limbs)
  // h + 5 passes 2^130 exactly when h is 2^130 - 5 or more.
  minus.set(limbs)
  minus[0] = (minus[0] as number) + 5
  carry(minus)
  const take = -((minus[5] as number) >>> 20)
  minus[5] = (minus[5] as number) & TOP_MASK
  for (let i = 0; i < 6; i++) limbs[i] = ((limbs[i] as number) & ~take) | ((minus[i] as number) & take)
  minus.fill(0)
}

/** Leaves 22 bits in each limb but the topmost. */
function carry(of: Int32Array): void {
  for (let i = 0; i < 5; i++) {
    of[i + 1] = (of[i + 1] as number) + ((of[i] as number) >>> 22)
    of[i] = (of[i] as number) & MASK
  }
}

/** The number modulo 2^128, plus s. */
function writeTag(key: Int32Array, tag: Uint8Array): void {
  const h = limbs as unknown as Readonly<Record<0 | 1 | 2 | 3 | 4 | 5, number>>
  words[0] = h[0] | (h[1] << 22)
  words[1] = (h[1] >>> 10) | (h[2] << 12)
  words[2] = (h[2] >>> 20) | (h[3] << 2) | (h[4] << 24)
  words[3] = (h[4] >>> 8) | (h[5] << 14)
  let sum = 0
  for (let i = 0; i < 4; i++) {
    sum = Math.floor(sum / 2 ** 32) + ((words[i] as number) >>> 0) + ((key[4 + i] as number) >>> 0)
    for (let byte = 0; byte < 4; byte++) tag[4 * i + byte] = (sum % 2 ** 32) >>> (8 * byte)
  }
}
