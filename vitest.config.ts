import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{attest,contracts,worker,gateway,examples}/**/*.test.ts'],
    // Two cores, real processes and a real engine: files side by side only fight for the same cores.
    maxWorkers: 2,
    // Hundreds of processes are started: each compiles only what no other has.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 20_000,
    reporters: ['default'],
  },
})
