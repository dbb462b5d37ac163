/** `npm run fuzz -- NAME SECONDS [SEED]`, `npm run fuzz -- --all INPUTS`, `npm run fuzz -- --list`. */

import { type FuzzResult, fuzz } from './fuzz.ts'
import { TARGETS } from './targets.ts'

/** No parser needs a second for 64 KiB, even on a busy machine. */
const SLOW_MS = 1000

const USAGE = `Usage: npm run fuzz -- NAME SECONDS [SEED]     one parser for so long
       npm run fuzz -- --all INPUTS [SEED]     every parser, so many inputs each
       npm run fuzz -- --list                  the parsers

Exits 1 when an input crashed a parser, made it hang or was refused without a typed error.
`

function print(name: string, result: FuzzResult, seconds: number): boolean {
  const { inputs, taken, slowest, crashes } = result
  const rate = Math.round(inputs / seconds)
  process.stdout.write(
    `| ${name} | ${inputs} | ${taken} | ${rate} | ${slowest.toFixed(1)} | ${crashes.length} |\n`,
  )
  for (const { input, what } of crashes) process.stdout.write(`crash: ${what}\n  ${input.slice(0, 4096)}\n`)
  return crashes.length === 0
}

async function main([first, second, third]: readonly string[]): Promise<number> {
  const seed = Number(third ?? Math.trunc(Date.now() / 1000))
  const amount = Number(second)
  if (first === '--list') {
    for (const [name, { reads }] of Object.entries(TARGETS))
      process.stdout.write(`${name.padEnd(20)} ${reads}\n`)
    return 0
  }
  const all = first === '--all'
  const names = all ? Object.keys(TARGETS) : [first ?? '']
  const known = names.every((name) => Object.hasOwn(TARGETS, name))
  if (!known || !(amount > 0) || !Number.isSafeInteger(seed)) {
    process.stderr.write(`${known ? '' : `there is no parser ${JSON.stringify(first ?? '')}\n`}${USAGE}`)
    return 2
  }
  process.stdout.write(
    `seed ${seed}\n| parser | inputs | taken | per second | slowest, ms | crashes |\n|---|---|---|---|---|---|\n`,
  )
  let clean = true
  for (const name of names) {
    const target = TARGETS[name]
    if (target === undefined) continue
    const started = performance.now()
    const over = (): boolean => performance.now() - started > amount * 1000
    const result = await fuzz(target, { seed, slow: SLOW_MS, ...(all ? { inputs: amount } : { over }) })
    clean = print(name, result, (performance.now() - started) / 1000) && clean
  }
  return clean ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
