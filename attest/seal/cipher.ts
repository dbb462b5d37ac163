import nacl from 'tweetnacl'

/**
 * What closes and opens one frame: XSalsa20-Poly1305 with a 32-byte key and a 24-byte nonce. It can be replaced in
 * code only, so that a test can show what a wire without sealing looks like; no flag or variable reaches it.
 */
export interface Cipher {
  /** Returns 16 bytes more than `message`. */
  box(message: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array
  /** Returns the message, or null when the box is not one of this key and nonce. */
  open(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | null
}

/** NaCl secretbox. */
export const secretbox: Cipher = {
  box: (message, nonce, key) => nacl.secretbox(message, nonce, key),
  open: (box, nonce, key) => nacl.secretbox.open(box, nonce, key),
}
