/**
 * Builds `dist/` for publishing: tsc emits JavaScript and types, then the files that are not TypeScript follow, and the
 * verifier for browsers: attest.js to import, verify.html to open.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeBrowserFiles } from '../../attest/browser/bundle.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Files that the code opens beside itself. */
const ASSETS = [
  'gateway/cli/launch.mjs',
  'gateway/cli/obstacle.mjs',
  'worker/model/chrysalis-tiny.gguf',
  'worker/model/model.json',
  'contracts/channel/channel.code.json',
]

rmSync(`${root}dist`, { recursive: true, force: true })
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}gateway/cli/tsconfig.build.json`],
  { stdio: 'inherit' },
)
if (status !== 0) process.exit(status ?? 1)
for (const asset of ASSETS.filter((path) => existsSync(root + path)))
  cpSync(root + asset, `${root}dist/${asset}`)
await writeBrowserFiles(`${root}dist/attest/browser`)
