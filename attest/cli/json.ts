/** JSON for programs that a terminal may happen to show. */

/**
 * JSON in which every control, format and line-breaking character is escaped: a program reads the same, and a terminal
 * is not led astray by what evidence says.
 */
export function safeJson(value: unknown, indent?: number): string {
  // In JSON text such characters occur inside strings alone, where \u stands for them.
  return JSON.stringify(value, undefined, indent).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' ? character : escaped(character),
  )
}

/** Each UTF-16 unit as \uXXXX. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('')
}
