import { encode, renderSVG, renderUnicodeCompact } from 'uqr'

/** Light around the code, in modules; scanners want 4, and manage with 2. */
const BORDER = 2
/** Bright white on black, whatever the terminal's colours are, and back. */
const [INK, PLAIN] = ['\u001b[97;40m', '\u001b[0m']

/**
 * A QR code for a terminal, two modules to a character.
 * @param columns width of the terminal
 * @returns undefined where the code does not fit
 */
export function terminalQr(text: string, columns: number): string | undefined {
  const { size } = encode(text, { ecc: 'L', border: BORDER })
  if (size > columns) return undefined
  const lines = renderUnicodeCompact(text, { ecc: 'L', border: BORDER }).split('\n')
  return lines.map((line) => `${INK}${line}${PLAIN}`).join('\n')
}

/** A QR code as an SVG document. */
export function svgQr(text: string): string {
  return renderSVG(text, { ecc: 'L', border: BORDER })
}
