/**
 * What a verdict on a TDX quote costs: `npm run bench:attest`. Milliseconds of verifyQuote, without any cache of
 * verdicts, beside @phala/dcap-qvl in the same run, by turns, and the ratio. The other library checks less (no
 * signature of a revocation list, no role of a chain, no TDX module: see attest/README.md) and remembers nothing.
 */

import { execFile } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  acceptedByAll,
  type Case,
  loadTheirs,
  newPlatforms,
  ours,
  realCases,
  simulatedCases,
  type Verify,
} from './verify-cases.ts'

/** ms */
type Times = Record<Side, number[]>
type Side = 'ours' | 'theirs'
const SIDES: readonly Side[] = ['ours', 'theirs']

const PROCESSES = 6
const RUNS = 400
const WARM_UP = 60
const BLOCK = 20

const [mode, side, indexes = ''] = process.argv.slice(2)
if (mode === '--child') await child(side === 'theirs' ? loadTheirs() : ours, indexes)
else await main()

async function main(): Promise<void> {
  const theirs = loadTheirs()
  const all = realCases()
  const shared = await acceptedByAll(all, [ours, theirs])
  const real = all.filter((_, index) => shared.includes(index))
  const fresh = await simulatedCases(RUNS + WARM_UP)
  const strangers = await newPlatforms(RUNS / 4 + WARM_UP)
  process.stdout.write(`Node ${process.version}, ${real.length} real quotes that both accept\n`)
  process.stdout.write(`${'ms a verdict'.padEnd(44)}    best  median     p95    runs\n`)
  const known = real.length === 0 ? undefined : await inTurn(real, RUNS, theirs)
  if (known !== undefined) show('real quotes of known platforms', known)
  show('new quotes of one known platform (simulated)', await inTurn(fresh, RUNS, theirs))
  show('platforms never met, warm code (simulated)', await inTurn(strangers, RUNS / 4, theirs))
  const { met, first } = await processes(shared)
  if (met.ours.length > 0) show('platforms never met, warm code (real)', met)
  show('first verdict of a process, once loaded', first)
  judge(known)
}

/**
 * The two by turns of one block, so that a busy moment of the machine falls on both, but the garbage that one leaves
 * is not swept in the other's time. Each case is used once by each; they start over when all are used.
 */
async function inTurn(cases: readonly Case[], runs: number, theirs: Verify): Promise<Times> {
  const times: Times = { ours: [], theirs: [] }
  for (let from = -WARM_UP; from < runs; from += BLOCK) {
    const block = Array.from({ length: BLOCK }, (_, i) => cases[(WARM_UP + from + i) % cases.length])
    for (const which of SIDES) {
      const spent = await timeAll(which === 'ours' ? ours : theirs, block)
      if (from >= 0) times[which].push(...spent)
    }
  }
  return times
}

async function timeAll(verify: Verify, block: readonly (Case | undefined)[]): Promise<number[]> {
  const spent: number[] = []
  for (const test of block) {
    if (test === undefined) throw new Error('there are no cases')
    spent.push(await time(verify, test))
  }
  return spent
}

async function time(verify: Verify, test: Case): Promise<number> {
  const start = performance.now()
  await verify(test)
  return performance.now() - start
}

interface ChildReport {
  first: number
  met: number[]
}

/** In a process of its own: the very first verdict, then, once the code is warm, each platform that was not met yet. */
async function child(verify: Verify, shared: string): Promise<void> {
  const wanted = shared.split(',').filter((index) => index !== '')
  const real = realCases().filter((_, index) => wanted.includes(`${index}`))
  const [one, ...rest] = real.length > 0 ? real : await simulatedCases(1)
  if (one === undefined) throw new Error('there are no cases')
  const report: ChildReport = { first: await time(verify, one), met: [] }
  for (const test of await newPlatforms(WARM_UP)) await verify(test)
  // Of platforms with the same collateral only the first is met cold.
  const seen = new Set([one.collateral.tcb_info])
  for (const test of rest) {
    const duration = await time(verify, test)
    if (!seen.has(test.collateral.tcb_info)) report.met.push(duration)
    seen.add(test.collateral.tcb_info)
  }
  process.stdout.write(JSON.stringify(report))
}

async function processes(shared: readonly number[]): Promise<{ met: Times; first: Times }> {
  const met: Times = { ours: [], theirs: [] }
  const first: Times = { ours: [], theirs: [] }
  for (let i = 0; i < PROCESSES; i++) {
    for (const which of SIDES) {
      const { stdout } = await promisify(execFile)(process.execPath, [
        ...process.execArgv,
        fileURLToPath(import.meta.url),
        '--child',
        which,
        shared.join(),
      ])
      const report = JSON.parse(stdout) as ChildReport
      first[which].push(report.first)
      met[which].push(...report.met)
    }
  }
  return { met, first }
}

interface Summary {
  best: number
  median: number
  p95: number
}

function summary(times: readonly number[]): Summary {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
  return { best: at(0), median: at(0.5), p95: at(0.95) }
}

function show(name: string, times: Times): void {
  const [mine, other] = SIDES.map((which) => summary(times[which]))
  if (mine === undefined || other === undefined) return
  row(name, 'ours', mine, 2, times.ours.length)
  row('', 'theirs', other, 2, times.theirs.length)
  const ratio = {
    best: other.best / mine.best,
    median: other.median / mine.median,
    p95: other.p95 / mine.p95,
  }
  row('', 'times', ratio, 1)
}

function row(
  name: string,
  what: string,
  { best, median, p95 }: Summary,
  digits: number,
  runs?: number,
): void {
  const cells = [best, median, p95].map((value) => value.toFixed(digits).padStart(8))
  process.stdout.write(`${name.padEnd(46)}${what.padEnd(7)}${cells.join('')}${`${runs ?? ''}`.padStart(8)}\n`)
}

/** The goal of the project, on real quotes. */
function judge(known: Times | undefined): void {
  if (known === undefined) {
    process.stdout.write('goal: not judged without real quotes (set CHRYSALIS_VECTORS)\n')
    return
  }
  const [mine, other] = [summary(known.ours), summary(known.theirs)]
  const met = other.median / mine.median >= 4 && mine.best <= 3
  process.stdout.write(`goal (median 4 times faster, best within 3 ms): ${met ? 'met' : 'MISSED'}\n`)
}
