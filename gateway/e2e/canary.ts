/** Bytes as they might be found: plain, hex, base64 at each of its three alignments. */
export function byteForms(bytes: Uint8Array): string[] {
  const plain = Buffer.from(bytes)
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), plain]).toString('base64')
    // The first and last characters depend on the neighbours: only the middle is certain.
    return text.slice(shift === 0 ? 0 : 4, -4)
  })
  return [
    // Needles are searched for byte by byte: one character for each byte.
    plain.toString('latin1'),
    plain.toString('hex'),
    plain.toString('hex').toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ]
}

/** The word as it might be found: its UTF-8 in every form of bytes, JSON-escaped, UTF-16. */
export function disguises(word: string): string[] {
  const escaped = [...word]
    .map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
  return [...byteForms(Buffer.from(word)), escaped, Buffer.from(word, 'utf16le').toString('latin1')]
}

/** A sequence of token ids as it might be found: as text with the usual separators, as 16-bit and 32-bit numbers. */
export function tokenForms(ids: readonly number[]): string[] {
  const binary = [Uint16Array, Int32Array].map((type) =>
    Buffer.from(type.from(ids).buffer).toString('latin1'),
  )
  return [ids.join(','), ids.join(', '), ids.join(' '), ...binary]
}

/** Which of the words, in any disguise, or of the other forms the bytes hold. */
export function findings(
  haystack: Uint8Array,
  words: readonly string[],
  forms: readonly string[] = [],
): string[] {
  const bytes = Buffer.from(haystack.buffer, haystack.byteOffset, haystack.length)
  return [...words.flatMap(disguises), ...forms].filter((needle) =>
    bytes.includes(Buffer.from(needle, 'latin1')),
  )
}
