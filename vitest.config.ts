import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Where tests take ten seconds and more, the longest first: begun last they would run on alone, on one of the cores. */
const LONG = [
  /gateway\/kill\//,
  /\/postgres\.test/,
  /gateway\/e2e\//,
  /gateway\/cli\/restart/,
  /\/(model|process)\.test/,
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => LONG.findIndex((path) => path.test(moduleId)) >>> 0
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    include: ['{attest,contracts,worker,gateway,examples}/**/*.test.ts'],
    // Two cores, real processes and a real engine: files side by side only fight for the same cores.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Hundreds of processes are started: each compiles only what no other has.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 20_000,
    reporters: ['default'],
  },
})
