/** Preflight checks of what any worker needs: Node, memory, disk, and a clock that can be believed. */

import { ask, type Check, fail, gib, ok, type PreflightMachine, warn } from './checks.ts'
import { errnoOf } from './errors.ts'
import { readText } from './probe.ts'

/** The oldest Node.js whose TypeScript support and WebCrypto the worker runs on. */
const OLDEST_NODE = 24

export function checkNode(version: string): Check {
  const major = Number(/^v?(\d+)\./.exec(version)?.[1])
  if (major >= OLDEST_NODE) return ok('node', `Node.js ${version}`)
  return fail(
    'node',
    `Node.js ${version} is older than ${OLDEST_NODE}`,
    `Install Node.js ${OLDEST_NODE} or later in the TD, or start by npm, which brings its own`,
  )
}

export async function checkMemory({ files }: PreflightMachine, needed: number): Promise<Check> {
  const name = 'memory'
  const text = (await readText(files, '/proc/meminfo')) ?? ''
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1]
  if (kib === undefined)
    return warn(name, 'no MemAvailable in /proc/meminfo', `See that ${gib(needed)} are free for the model`)
  const free = Number(kib) * 1024
  if (free >= needed) return ok(name, `${gib(free)} are free, ${gib(needed)} are needed`)
  return fail(
    name,
    `${gib(free)} are free, but ${gib(needed)} are needed`,
    'Give the TD more memory, or choose a smaller model',
  )
}

export async function checkDisk({ files }: PreflightMachine, folder: string, needed: number): Promise<Check> {
  const name = 'disk'
  try {
    const free = await files.freeBytes(folder)
    if (free >= needed) return ok(name, `${gib(free)} are free at ${folder}, ${gib(needed)} are needed`)
    return fail(
      name,
      `${gib(free)} are free at ${folder}, but ${gib(needed)} are needed`,
      'Give the TD a larger disk, or name a folder on another one',
    )
  } catch (error) {
    const code = errnoOf(error) ?? String(error)
    return fail(name, `${folder}: ${code}`, 'Name a folder that this user may write to')
  }
}

const NTS =
  'Use chrony with NTS (`server time.cloudflare.com iburst nts`): otherwise the host, which sees all packets, can set the clock'

/**
 * Whether something sets the clock, and whether it is authenticated: the dates of collateral and evidence are judged by
 * it, and a host can stretch the clock of its guest.
 */
export async function checkTime({ exec }: PreflightMachine): Promise<Check> {
  const name = 'time'
  const tracking = await ask(exec, 'chronyc', '-c', 'tracking')
  if (tracking === 'missing' || 'trouble' in tracking) return checkTimedatectl({ exec })
  // The last of the fields is the leap status.
  const leap = tracking.text.split('\n')[0]?.split(',').at(-1)?.trim()
  if (leap === 'Not synchronised' || leap === undefined || leap === '')
    return fail(
      name,
      'chrony has not set the clock yet',
      'Wait, or see `chronyc sources` for servers that answer',
    )
  const sources = await ask(exec, 'chronyc', '-c', '-N', 'authdata')
  const modes =
    sources === 'missing' || 'trouble' in sources
      ? []
      : sources.text.split('\n').map((line) => line.split(',')[1] ?? '')
  if (modes.length > 0 && modes.every((mode) => mode === 'NTS'))
    return ok(name, 'chrony sets the clock from servers that NTS authenticates')
  const some = modes.includes('NTS') ? 'some of its servers are' : 'its servers are'
  return warn(name, `chrony sets the clock, but ${some} not authenticated`, NTS)
}

async function checkTimedatectl({ exec }: Pick<PreflightMachine, 'exec'>): Promise<Check> {
  const name = 'time'
  const told = await ask(exec, 'timedatectl', 'show', '-p', 'NTPSynchronized', '--value')
  if (told === 'missing' || 'trouble' in told)
    return warn(name, 'neither chronyc nor timedatectl says whether the clock is set', NTS)
  if (told.text !== 'yes') return fail(name, 'the clock is not set by any time server', NTS)
  return warn(name, 'the clock is set by a time server, without authentication', NTS)
}
