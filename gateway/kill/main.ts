/** `npm run kill`: see USAGE. Exits 1 when anything was lost, doubled, left open or billed wrongly. */

import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { POINT_NAMES } from './points.ts'
import { type Failure, type Progress, runTrials } from './run.ts'

const USAGE = `Usage: npm run kill -- [--trials N] [--seed N] [--fresh N] [--side N] [--point NAME] [--json FILE]
Ctrl-C ends it early, with the record of what was done.

  --trials N   kills (20)
  --seed N     of all that is random but the moments themselves (the time)
  --fresh N    trials on one data folder before a new one is made (25)
  --side N     networks side by side (1)
  --point NAME kill at this point of the code only: ${POINT_NAMES.join(', ')}
  --json FILE  write the record there
`

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.trunc(Date.now() / 1000)) },
    fresh: { type: 'string', default: '25' },
    side: { type: 'string', default: '1' },
    point: { type: 'string' },
    json: { type: 'string' },
  },
})
const trials = Number(values.trials)
const seed = Number(values.seed)
const fresh = Number(values.fresh)
const side = Number(values.side)
const point = POINT_NAMES.find((name) => name === values.point)
const whole = [trials, seed, fresh, side].every((number) => Number.isSafeInteger(number) && number > 0)
if (!whole || (values.point !== undefined && !point)) {
  process.stderr.write(USAGE)
  process.exit(2)
}

function tell({ trial, plan, defects, log }: Failure): void {
  const sentences = defects.map((text) => `  ${text}\n`).join('')
  process.stdout.write(`trial ${trial} ${JSON.stringify(plan)}\n${sentences}${log}\n`)
}

let shown = 0
function progress({ done, defects, failure }: Progress): void {
  if (failure) tell(failure)
  const every = process.stderr.isTTY ? 200 : 30_000
  if (performance.now() - shown < every && done < trials) return
  shown = performance.now()
  const bar = '#'.repeat(Math.floor((30 * done) / trials)).padEnd(30, '.')
  const text = `[${bar}] ${done} of ${trials} kills, ${defects} defects `
  process.stderr.write(process.stderr.isTTY ? `\r${text}` : `${text}\n`)
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
const record = await runTrials({
  trials,
  seed,
  fresh,
  side,
  ...(point && { point }),
  progress,
  signal: stop.signal,
})
if (process.stderr.isTTY) process.stderr.write('\n')
const { failures, ...summary } = record
process.stdout.write(`${JSON.stringify({ ...summary, failures: failures.length }, null, 2)}\n`)
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(record, null, 2)}\n`)
process.exit(failures.length === 0 ? 0 : 1)
