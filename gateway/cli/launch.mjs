// Plain JavaScript on purpose: it must parse on any Node, so that an old one gets a sentence, not a stack trace.
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)

function problem() {
  if (process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime)
    return 'Chrysalis needs a Linux with glibc (Debian, Ubuntu, Fedora …): node-llama-cpp and the bundled Node have no build for musl (Alpine).'
  if (major > 24 || (major === 24 && minor >= 7)) return undefined
  const found = `this is Node ${process.versions.node}`
  if (process.platform === 'darwin')
    return `Chrysalis needs Node 24.7 or newer, and ${found}. On macOS please install Node 24 from nodejs.org; npm has no platform package for it.`
  return `Chrysalis needs Node 24.7 or newer, and ${found}. Start it with npm (npm start, npm run chrysalis), which uses the Node 24 that 'npm ci' installed; if you ran 'npm ci --omit=optional', run 'npm ci' again, or install Node 24.`
}

const obstacle = problem()
if (obstacle) {
  process.stderr.write(`${obstacle}\n`)
  process.exit(1)
}

if (process.argv[2] === '--run') {
  process.argv.splice(1, 2)
  await import(pathToFileURL(process.argv[1]).href)
} else {
  const source = new URL('./chrysalis.ts', import.meta.url)
  await import(existsSync(source) ? source.href : new URL('./chrysalis.js', import.meta.url).href)
}
