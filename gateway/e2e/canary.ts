/** The word as it might be found: plain, hex, base64 at each of its three alignments, JSON-escaped, UTF-16. */
export function disguises(word: string): string[] {
  const bytes = Buffer.from(word)
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    // The first and last characters depend on the neighbours: only the middle is certain.
    return text.slice(shift === 0 ? 0 : 4, -4)
  })
  const escaped = [...word]
    .map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
  return [
    // Needles are searched for byte by byte: this is the UTF-8 of the word, one character for each byte.
    bytes.toString('latin1'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    escaped,
    Buffer.from(word, 'utf16le').toString('latin1'),
  ]
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
