// Plain JavaScript on purpose: it must parse on any Node, so that an old one gets a sentence, not a stack trace.

/**
 * The Node that everything here is written for: the first minor version with an SQLite (3.51) that can be asked for the
 * length of its log. An older one takes that question for an order to write the log back, after every batch of the ledger.
 */
const NEEDED = [24, 14]

/**
 * Why Chrysalis cannot run here, as a sentence for a person; undefined when it can.
 *
 * @param {{ platform: string, version: string, glibc: boolean }} machine process.platform, process.versions.node, and
 *   whether this Node was built for glibc
 * @returns {string | undefined}
 */
export function obstacle({ platform, version, glibc }) {
  if (platform === 'linux' && !glibc)
    return (
      'Chrysalis needs a Linux with glibc (Debian, Ubuntu, Fedora …): node-llama-cpp and the bundled Node have no ' +
      'build for musl (Alpine).'
    )
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return undefined
  const found = `Chrysalis needs Node ${NEEDED.join('.')} or newer, and this is Node ${version}.`
  if (platform === 'darwin')
    return `${found} On macOS please install Node 24 from nodejs.org; npm has no platform package for it.`
  return (
    `${found} Start it with npm (npm start, npm run chrysalis), which uses the Node 24 that 'npm ci' installed; ` +
    "if you ran 'npm ci --omit=optional', run 'npm ci' again, or install Node 24."
  )
}

/**
 * The obstacles that `npm ci` cannot remove: on Linux and Windows it brings a Node of its own, whatever runs npm. Told
 * before the install, since afterwards a system without glibc cannot even start that Node to be told.
 *
 * @param {{ platform: string, version: string, glibc: boolean }} machine
 * @returns {string | undefined}
 */
export function installObstacle(machine) {
  const brought = machine.platform === 'linux' || machine.platform === 'win32'
  return obstacle(brought ? { ...machine, version: NEEDED.join('.') } : machine)
}

/** This machine, as `obstacle` wants it. */
export function thisMachine() {
  const glibc = process.platform === 'linux' && Boolean(process.report.getReport().header.glibcVersionRuntime)
  return { platform: process.platform, version: process.versions.node, glibc }
}
