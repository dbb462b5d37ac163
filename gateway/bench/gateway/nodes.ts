import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface NodeBinary {
  readonly node: string
  /** `node 20`. */
  readonly version: string
}

/** The Node that runs this, and those of other major versions on the PATH: some servers are faster on an older one. */
export function nodesOnPath(): NodeBinary[] {
  const found = new Map<string, NodeBinary>()
  const candidates = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, 'node'))
  for (const node of [process.execPath, ...candidates]) {
    if (!existsSync(node)) continue
    const { stdout } = spawnSync(realpathSync(node), ['--version'], { encoding: 'utf8' })
    const major = /^v(\d+)\./.exec(stdout)?.[1]
    const version = `node ${major}`
    if (major !== undefined && !found.has(version)) found.set(version, { node: realpathSync(node), version })
  }
  return [...found.values()]
}
