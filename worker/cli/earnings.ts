/** The process of `chrysalis earnings`: what a worker has earned, from its data folder. */

import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { parseUsdRate } from '../../contracts/amount.ts'
import { printCsv, printJson, printText } from '../earnings/print.ts'
import { makeReport, readBooks } from '../earnings/report.ts'
import { earningsFile } from '../folder.ts'
import { runCommand } from './command.ts'

const day = z.iso.date('expected a day, YYYY-MM-DD').optional()

const schema = z.strictObject({
  data: z.string().min(1).default('.chrysalis').describe('data folder of the worker'),
  by: z.enum(['day', 'model']).default('day').describe('what each line is: a day (UTC) or a model'),
  from: day.describe('first day, YYYY-MM-DD, UTC'),
  to: day.describe('last day, YYYY-MM-DD, UTC'),
  usd: z.string().optional().describe('dollars for one TON: shows dollars too; a rate is never fetched'),
  csv: z.boolean().default(false).describe('print comma-separated values, amounts in nanotons'),
  json: z.boolean().default(false).describe('print JSON, amounts in nanotons'),
})

/** Prints the report. @throws ConfigError, EarningsError, ContractsError */
async function earnings(argv: string[]): Promise<void> {
  const { data, csv, json, usd, ...query } = loadConfig(
    {
      name: 'chrysalis earnings',
      summary:
        'Show what the worker on this data folder has earned, was promised and has got. It may run meanwhile.',
      schema,
      examples: [
        'Examples:',
        '  chrysalis earnings --by model --from 2026-11-01 --to 2026-11-30',
        '  chrysalis earnings --csv --usd 3.21 > november.csv',
      ].join('\n'),
    },
    { argv, env: process.env },
  )
  if (csv && json) throw new ConfigError('--csv and --json: choose one; see chrysalis earnings --help')
  const { from, to } = query
  if (from !== undefined && to !== undefined && from > to) throw new ConfigError('--from: is after --to')
  const print = csv ? printCsv : json ? printJson : printText
  const rate = usd === undefined ? undefined : parseUsdRate(usd)
  const report = makeReport(readBooks(earningsFile(join(data, 'worker'))), query)
  process.stdout.write(print(report, rate))
}

await runCommand('chrysalis earnings', earnings)
