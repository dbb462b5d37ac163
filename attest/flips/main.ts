/**
 * `npm run attest:flips`: flips every byte of three real quotes and of each member of their collateral with three
 * masks, and writes report.json beside this file. Exits 1 when anything went undetected. Takes some minutes.
 */

import { writeFileSync } from 'node:fs'
import { toBase64 } from '../bytes.ts'
import { haveVectors } from '../tdx/testing.ts'
import { accepts, everyFlip, MASKS, undetected } from './judge.ts'
import { realPairs, targetsOf } from './targets.ts'

interface Row {
  pair: string
  target: string
  bytes: number
  flips: number
  undetected: { at: number; mask: number }[]
}

async function main(): Promise<number> {
  if (!haveVectors()) return 2
  const rows: Row[] = []
  const done = new Set<string>()
  for (const pair of realPairs()) {
    // A flip of what is refused anyway would prove nothing.
    if (!(await accepts(pair))) throw new Error(`${pair.name} is refused untouched`)
    for (const target of targetsOf(pair)) {
      // Two quotes share one collateral.
      const key = `${target.name} ${toBase64(target.bytes)}`
      if (done.has(key)) continue
      done.add(key)
      const flips = everyFlip(target)
      const missed = (await undetected(target, flips)).map(([at, mask]) => ({ at, mask }))
      rows.push({
        pair: pair.name,
        target: target.name,
        bytes: target.bytes.length,
        flips: flips.length,
        undetected: missed,
      })
      process.stdout.write(
        `${pair.name}  ${target.name}: ${flips.length} flips, ${missed.length} undetected\n`,
      )
    }
  }
  const flips = rows.reduce((sum, row) => sum + row.flips, 0)
  const missed = rows.reduce((sum, row) => sum + row.undetected.length, 0)
  const report = {
    masks: MASKS.map((mask) => mask.toString(16).padStart(2, '0')).join(' '),
    flips,
    undetected: missed,
    rows,
  }
  writeFileSync(new URL('./report.json', import.meta.url), `${JSON.stringify(report, null, 2)}\n`)
  process.stdout.write(`${flips} flips, ${missed} undetected\n`)
  return missed === 0 ? 0 : 1
}

process.exitCode = await main()
