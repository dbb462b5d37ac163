/**
 * Checks the licence of every locked package; part of `npm run check`. Reads package-lock.json, so it needs no
 * network and sees packages of other platforms too.
 */
import { readFileSync } from 'node:fs'

const ALLOWED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Unlicense',
  'BlueOak-1.0.0',
])
const DEVELOPMENT_ONLY = new Set(['MPL-2.0'])

/** Packages without a licence field, each looked at by a person. */
const REVIEWED: Record<string, string> = {
  '@tonstudio/parser-runtime':
    'helper of ton-assembly (MIT), which is a tool of @ton/sandbox that we never call; its package omits the field',
}

interface LockedPackage {
  license?: string
  dev?: boolean
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, LockedPackage>
}

function acceptable(name: string, { license, dev }: LockedPackage): boolean {
  if (license === undefined) return name in REVIEWED
  const choices = license.replace(/[()]/g, '').split(' OR ')
  return choices.some((choice) => ALLOWED.has(choice) || (dev === true && DEVELOPMENT_ONLY.has(choice)))
}

const entries = Object.entries(lock.packages).filter(([path]) => path !== '')
const refused = entries.filter(([path, entry]) => !acceptable(path.replace(/^.*node_modules\//, ''), entry))
for (const [path, { license }] of refused)
  process.stderr.write(`${path}: licence ${license ?? 'unknown'} is not allowed\n`)
process.stdout.write(`licences: ${entries.length} packages checked, ${refused.length} refused\n`)
process.exitCode = refused.length === 0 ? 0 : 1
