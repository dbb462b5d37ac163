/**
 * Bytes of a JSON value when it is written indented by four, as chat templates write tools, without writing it: the
 * blanks of deep nesting may be a hundred times the text that a client sent.
 *
 * @param most counting ends where it is passed
 * @returns at least what JSON.stringify writes, and no more than a few bytes for each value above it
 */
export function indentedBytes(value: unknown, most = Number.POSITIVE_INFINITY): number {
  let bytes = 0
  const open: { value: unknown; depth: number }[] = [{ value, depth: 0 }]
  for (let next = open.pop(); next && bytes <= most; next = open.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) {
      bytes += Buffer.byteLength(JSON.stringify(value) ?? 'null')
      continue
    }
    const values = Object.values(value)
    // A line for each value and one for the closing bracket, with their blanks, commas and line breaks.
    bytes += 2 + (values.length + 1) * (2 + 4 * (depth + 1))
    if (!Array.isArray(value))
      for (const name of Object.keys(value)) bytes += Buffer.byteLength(JSON.stringify(name)) + 2
    for (const each of values) open.push({ value: each, depth: depth + 1 })
  }
  return bytes
}
