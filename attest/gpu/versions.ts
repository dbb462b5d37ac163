/** Lists of allowed versions, as policies write them. */

/**
 * Whether a version is on the list. An entry is a version, or its beginning followed by a star: `580.*`. Case does not
 * matter.
 */
export function versionAllowed(version: string, allowed: readonly string[]): boolean {
  const found = version.toLowerCase()
  return allowed.some((entry) => {
    const wanted = entry.toLowerCase()
    return wanted.endsWith('*') ? found.startsWith(wanted.slice(0, -1)) : found === wanted
  })
}
