/** `npm run model -- channel --messages 100000 --seed N`: see USAGE. */

import { parseArgs } from 'node:util'
import { channelSubject } from './channel.ts'
import { jettonSubject } from './jetton.ts'
import { registrySubject } from './registry.ts'
import { type RunOptions, type RunResult, runModel, type Tally } from './run.ts'

const USAGE = `Usage: npm run model -- [channel|jetton|registry] [--messages N] [--seed N] [--path PATH]

Sends random sequences of messages to a contract, each on a chain of its own, and holds every answer against a model.
Without a name all three, one after the other. --path (with --seed, as a failure prints them) plays one sequence again.
Exits 1 when contract and model differ.
`

const SUBJECTS: Record<string, (options: RunOptions) => Promise<RunResult>> = {
  channel: (options) => runModel(channelSubject, options),
  jetton: (options) => runModel(jettonSubject, options),
  registry: (options) => runModel(registrySubject, options),
}

function plan(argv: string[]): { names: string[]; options: RunOptions } | undefined {
  const text = { type: 'string' } as const
  const options = { messages: text, seed: text, path: text }
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  const names = positionals.length > 0 ? positionals : Object.keys(SUBJECTS)
  const messages = Number(values.messages ?? 1000)
  const seed = Number(values.seed ?? Math.trunc(Date.now() / 1000))
  const known = names.every((name) => Object.hasOwn(SUBJECTS, name))
  if (!known || !(messages > 0) || !Number.isInteger(seed)) return undefined
  return { names, options: { messages, seed, ...(values.path && { path: values.path }) } }
}

function report(name: string, seed: number, { tally, failure }: RunResult, cpuSeconds: number): void {
  const { messages, sequences } = tally
  const head = `${name}: ${messages} messages in ${sequences} sequences, seed ${seed}, ${cpuSeconds.toFixed(0)} CPU s`
  const rows = tally.rows().map(([outcome, count]) => `| ${outcome} | ${count} |`)
  process.stdout.write(`\n${head}\n\n| message: outcome | times |\n|---|---|\n${rows.join('\n')}\n`)
  if (!failure) return
  const again = `npm run model -- ${name} --seed ${failure.seed} --path ${failure.path}`
  process.stdout.write(`\nDIFFERENCE: ${failure.reason}\nleast sequence: ${failure.moves}\nagain: ${again}\n`)
}

/** A line that overwrites itself, for somebody who watches. */
function showProgress(name: string, wanted: number): (tally: Tally) => void {
  return ({ messages }) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${name} ${messages}/${wanted} `)
  }
}

const chosen = plan(process.argv.slice(2))
if (!chosen) {
  process.stderr.write(USAGE)
  process.exit(2)
}
for (const name of chosen.names) {
  const run = SUBJECTS[name]
  if (!run) continue
  const started = process.cpuUsage()
  const { messages } = chosen.options
  const result = await run({ ...chosen.options, progress: showProgress(name, messages) })
  const { user, system } = process.cpuUsage(started)
  report(name, chosen.options.seed, result, (user + system) / 1e6)
  if (result.failure) process.exitCode = 1
}
