import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { LocalNode } from '../../../contracts/chain/local/node.ts'

/**
 * One local chain for all tests of a file: starting the TVM is what takes time.
 * @param use is given the chain before the tests, and before any `beforeAll` that comes after this
 */
export function useLocalNode(use: (node: LocalNode) => void): void {
  let node: LocalNode
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'chrysalis-chain-'))
    node = await LocalNode.open(dir)
    use(node)
  })
  afterAll(async () => {
    await node.close()
    rmSync(dir, { recursive: true, force: true })
  })
}
