/** What gateway and worker claim to be. */

import { readFileSync } from 'node:fs'

export interface Software {
  version: string
  /** The revision that a release is built from. */
  commit: string
}

/** Version of this package; beside a built copy the manifest lies one folder higher. */
export function readSoftware(): Software {
  for (const place of ['../../package.json', '../../../package.json']) {
    const manifest = readManifest(new URL(place, import.meta.url))
    if (manifest?.name === 'chrysalis') return { version: String(manifest.version), commit: 'unreleased' }
  }
  return { version: 'unknown', commit: 'unreleased' }
}

function readManifest(url: URL): { name?: unknown; version?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(url, 'utf8'))
  } catch {
    return undefined
  }
}
