/** `npm run fuzz -- NAME SECONDS`, or so many inputs for some parsers or all: see USAGE. */

import { parseArgs } from 'node:util'
import { type FuzzResult, fuzz } from './fuzz.ts'
import { TARGETS } from './targets.ts'

/** No parser needs a second for 64 KiB, even on a busy machine. */
const SLOW_MS = 1000

const USAGE = `Usage: npm run fuzz -- NAME SECONDS              one parser for so long
       npm run fuzz -- --inputs N [NAME…]        so many inputs for these parsers, or for every one
       npm run fuzz -- --list                    the parsers
       --seed N                                  the same inputs again

Exits 1 when an input crashed a parser, made it hang or was refused without a typed error.
`

interface Plan {
  names: readonly string[]
  seed: number
  /** One of the two. */
  inputs?: number
  seconds?: number
}

/** Reads the arguments; undefined when they make no sense. */
function planOf(argv: readonly string[]): Plan | 'list' | undefined {
  const options = { inputs: { type: 'string' }, seed: { type: 'string' }, list: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true })
  if (values.list) return 'list'
  const seed = Number(values.seed ?? Math.trunc(Date.now() / 1000))
  const byTime = values.inputs === undefined
  const amount = Number(byTime ? positionals.at(-1) : values.inputs)
  const given = byTime ? positionals.slice(0, -1) : positionals
  const names = given.length === 0 && !byTime ? Object.keys(TARGETS) : given
  const known = names.length > 0 && names.every((name) => Object.hasOwn(TARGETS, name))
  if (!known || !(amount > 0) || !Number.isSafeInteger(seed)) return undefined
  return { names, seed, ...(byTime ? { seconds: amount } : { inputs: amount }) }
}

async function run({ names, seed, inputs, seconds }: Plan): Promise<boolean> {
  process.stdout.write(
    `seed ${seed}\n| parser | inputs | taken | per second | slowest, ms | crashes |\n|---|---|---|---|---|---|\n`,
  )
  let clean = true
  for (const name of names) {
    const target = TARGETS[name]
    if (target === undefined) continue
    const started = performance.now()
    const over = (): boolean => seconds !== undefined && performance.now() - started > seconds * 1000
    const result = await fuzz(target, { seed, slow: SLOW_MS, over, ...(inputs && { inputs }) })
    print(name, result, (performance.now() - started) / 1000)
    clean &&= result.crashes.length === 0
  }
  return clean
}

function print(name: string, { inputs, taken, slowest, crashes }: FuzzResult, seconds: number): void {
  const rate = Math.round(inputs / seconds)
  process.stdout.write(
    `| ${name} | ${inputs} | ${taken} | ${rate} | ${slowest.toFixed(1)} | ${crashes.length} |\n`,
  )
  for (const { input, what } of crashes) process.stdout.write(`crash: ${what}\n  ${input.slice(0, 4096)}\n`)
}

async function main(argv: readonly string[]): Promise<number> {
  let plan: ReturnType<typeof planOf>
  try {
    plan = planOf(argv)
  } catch {
    plan = undefined
  }
  if (plan === 'list') {
    for (const [name, { reads }] of Object.entries(TARGETS))
      process.stdout.write(`${name.padEnd(20)} ${reads}\n`)
    return 0
  }
  if (plan === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  return (await run(plan)) ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
