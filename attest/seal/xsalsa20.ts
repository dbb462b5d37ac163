/** XSalsa20 (Bernstein, "Extending the Salsa20 nonce", 2011): the stream cipher of NaCl's secretbox. */

const ROUNDS = 20

/** The Salsa20 core without its last addition. `state` and `out` are 16 words each. */
function permute(state: Int32Array, out: Int32Array): void {
  let x0 = state[0] as number
  let x1 = state[1] as number
  let x2 = state[2] as number
  let x3 = state[3] as number
  let x4 = state[4] as number
  let x5 = state[5] as number
  let x6 = state[6] as number
  let x7 = state[7] as number
  let x8 = state[8] as number
  let x9 = state[9] as number
  let x10 = state[10] as number
  let x11 = state[11] as number
  let x12 = state[12] as number
  let x13 = state[13] as number
  let x14 = state[14] as number
  let x15 = state[15] as number
  let u = 0
  for (let round = 0; round < ROUNDS; round += 2) {
    u = (x0 + x12) | 0
    x4 ^= (u << 7) | (u >>> 25)
    u = (x4 + x0) | 0
    x8 ^= (u << 9) | (u >>> 23)
    u = (x8 + x4) | 0
    x12 ^= (u << 13) | (u >>> 19)
    u = (x12 + x8) | 0
    x0 ^= (u << 18) | (u >>> 14)
    u = (x5 + x1) | 0
    x9 ^= (u << 7) | (u >>> 25)
    u = (x9 + x5) | 0
    x13 ^= (u << 9) | (u >>> 23)
    u = (x13 + x9) | 0
    x1 ^= (u << 13) | (u >>> 19)
    u = (x1 + x13) | 0
    x5 ^= (u << 18) | (u >>> 14)
    u = (x10 + x6) | 0
    x14 ^= (u << 7) | (u >>> 25)
    u = (x14 + x10) | 0
    x2 ^= (u << 9) | (u >>> 23)
    u = (x2 + x14) | 0
    x6 ^= (u << 13) | (u >>> 19)
    u = (x6 + x2) | 0
    x10 ^= (u << 18) | (u >>> 14)
    u = (x15 + x11) | 0
    x3 ^= (u << 7) | (u >>> 25)
    u = (x3 + x15) | 0
    x7 ^= (u << 9) | (u >>> 23)
    u = (x7 + x3) | 0
    x11 ^= (u << 13) | (u >>> 19)
    u = (x11 + x7) | 0
    x15 ^= (u << 18) | (u >>> 14)
    u = (x0 + x3) | 0
    x1 ^= (u << 7) | (u >>> 25)
    u = (x1 + x0) | 0
    x2 ^= (u << 9) | (u >>> 23)
    u = (x2 + x1) | 0
    x3 ^= (u << 13) | (u >>> 19)
    u = (x3 + x2) | 0
    x0 ^= (u << 18) | (u >>> 14)
    u = (x5 + x4) | 0
    x6 ^= (u << 7) | (u >>> 25)
    u = (x6 + x5) | 0
    x7 ^= (u << 9) | (u >>> 23)
    u = (x7 + x6) | 0
    x4 ^= (u << 13) | (u >>> 19)
    u = (x4 + x7) | 0
    x5 ^= (u << 18) | (u >>> 14)
    u = (x10 + x9) | 0
    x11 ^= (u << 7) | (u >>> 25)
    u = (x11 + x10) | 0
    x8 ^= (u << 9) | (u >>> 23)
    u = (x8 + x11) | 0
    x9 ^= (u << 13) | (u >>> 19)
    u = (x9 + x8) | 0
    x10 ^= (u << 18) | (u >>> 14)
    u = (x15 + x14) | 0
    x12 ^= (u << 7) | (u >>> 25)
    u = (x12 + x15) | 0
    x13 ^= (u << 9) | (u >>> 23)
    u = (x13 + x12) | 0
    x14 ^= (u << 13) | (u >>> 19)
    u = (x14 + x13) | 0
    x15 ^= (u << 18) | (u >>> 14)
  }
  out[0] = x0
  out[1] = x1
  out[2] = x2
  out[3] = x3
  out[4] = x4
  out[5] = x5
  out[6] = x6
  out[7] = x7
  out[8] = x8
  out[9] = x9
  out[10] = x10
  out[11] = x11
  out[12] = x12
  out[13] = x13
  out[14] = x14
  out[15] = x15
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** "expand 32-byte k" as four little-endian words. */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const

const BLOCK_BYTES = 64

// One call after the other uses these, and each erases them: a frame costs no memory but its own.
const state = new Int32Array(16)
const block = new Int32Array(16)

/** Turns to the keystream of a 32-byte key and a 24-byte nonce. */
export function beginKeystream(key: Uint8Array, nonce: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    state[5 * i] = SIGMA[i] as number
    state[1 + i] = word(key, 4 * i)
    state[6 + i] = word(nonce, 4 * i)
    state[11 + i] = word(key, 16 + 4 * i)
  }
  permute(state, block)
  // HSalsa20: these eight words are the key for what is left of the nonce.
  for (let i = 0; i < 4; i++) {
    state[1 + i] = block[5 * i] as number
    state[11 + i] = block[6 + i] as number
  }
  state[6] = word(nonce, 16)
  state[7] = word(nonce, 20)
  state[8] = 0
  state[9] = 0
}

/** The first 32 bytes of the keystream, as words: secretbox authenticates with them. */
export function takeKeyWords(words: Int32Array): void {
  makeBlock(0)
  for (let i = 0; i < 8; i++) words[i] = block[i] as number
}

/** `output` = `input` xor the keystream from its byte 32 on. At most 2^32 blocks, which no frame comes near. */
export function xorKeystream(input: Uint8Array, output: Uint8Array): void {
  const { length } = input
  makeBlock(0)
  xorBlock(input, output, 0, Math.min(length, BLOCK_BYTES / 2), 8)
  for (let counter = 1, at = BLOCK_BYTES / 2; at < length; counter++, at += BLOCK_BYTES) {
    makeBlock(counter)
    xorBlock(input, output, at, Math.min(length, at + BLOCK_BYTES), 0)
  }
}

/** The bytes from `at` to `end` with the block's words from `index` on. */
function xorBlock(input: Uint8Array, output: Uint8Array, at: number, end: number, index: number): void {
  let from = at
  let next = index
  for (; from + 4 <= end; from += 4) {
    const key = block[next++] as number
    output[from] = (input[from] as number) ^ key
    output[from + 1] = (input[from + 1] as number) ^ (key >>> 8)
    output[from + 2] = (input[from + 2] as number) ^ (key >>> 16)
    output[from + 3] = (input[from + 3] as number) ^ (key >>> 24)
  }
  for (let shift = 0; from < end; from++, shift += 8) {
    output[from] = (input[from] as number) ^ ((block[next] as number) >>> shift)
  }
}

/** Erases what is left of key and keystream. */
export function endKeystream(): void {
  state.fill(0)
  block.fill(0)
}

function makeBlock(counter: number): void {
  state[8] = counter
  permute(state, block)
  for (let i = 0; i < 16; i++) block[i] = ((block[i] as number) + (state[i] as number)) | 0
}
