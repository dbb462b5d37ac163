import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { codeOf } from '../../attest/cli/process.ts'
import {
  type Chain,
  chainSettings,
  connectLocalChain,
  networkGlobalId,
  readChannel,
} from '../../contracts/index.ts'
import { gatewaySchema } from '../config.ts'
import { type ControlAccess, ControlError, callControl, type VerifyProgress } from '../control/index.ts'
import { type Difference, Ledger, type VerifyReport } from '../ledger/index.ts'
import { ledgerPlace } from '../ledger-place.ts'
import { connectChain } from './chain-settings.ts'
import { readAccess } from './channel.ts'

const schema = z.strictObject({
  data: z.string().min(1).default('./.chrysalis').describe('data folder of the server, running or not'),
  json: z
    .boolean()
    .default(false)
    .describe('print a line of JSON for each difference, and one for the report'),
  chain: z
    .boolean()
    .default(false)
    .describe(
      'also hold deposits and settlements against the chain: a running server looks at its own; else the one that the settings name, or the local one in the data folder',
    ),
  ledgerPostgresFile: gatewaySchema.shape.ledgerPostgresFile,
  ...chainSettings,
})

type Config = z.infer<typeof schema>

const USAGE = `Usage: chrysalis ledger VERB [options]

The books of a server (folder --data, default ./.chrysalis):
  verify    find any difference between entries, receipts, vouchers and, with --chain, the chain; server running or not
  unfreeze  let a channel go on that the running server froze, once you know that its books are the newest

chrysalis ledger VERB --help explains each.
`

/** `chrysalis ledger verify|unfreeze`: looks for differences in the books, and lets go on what was stopped for one. */
export async function ledger([verb, ...argv]: string[]): Promise<void> {
  if (verb === '--help' || verb === '-h') {
    process.stdout.write(USAGE)
    return
  }
  if (verb === 'unfreeze') return await unfreeze(argv)
  if (verb === 'verify') return await verify(argv)
  throw new ConfigError(`chrysalis ledger: say verify or unfreeze${verb ? `, not '${verb}'` : ''}`)
}

async function unfreeze([channel, ...argv]: string[]): Promise<void> {
  const asked = channel === '--help' || channel === '-h'
  if (channel === undefined || (channel.startsWith('-') && !asked)) {
    throw new ConfigError('chrysalis ledger unfreeze: say which channel: chrysalis ledger unfreeze EQ…')
  }
  const { data } = loadConfig(
    {
      name: 'chrysalis ledger unfreeze',
      summary:
        'Let a channel go on that the server froze since chain or counterparty knew of more than the ledger. Only for a false alarm: what an older ledger has forgotten stays lost. chrysalis ledger unfreeze ADDRESS',
      schema: schema.pick({ data: true }),
    },
    { argv: asked ? ['--help'] : argv, env: process.env },
  )
  await callControl(readAccess(data), 'ledger/unfreeze', { channel })
  process.stdout.write(`${channel} takes requests again\n`)
}

/** Finds any difference in the books of a server that runs, or of one that does not. */
async function verify(argv: string[]): Promise<void> {
  const config = loadConfig(
    {
      name: 'chrysalis ledger verify',
      summary:
        'Hold every entry of the ledger against receipts, vouchers and sums, and list each difference. Exits with 1 when there is one.',
      schema,
    },
    { argv, env: process.env },
  )
  const { chainUrl, chainTokenFile, chainProvider, chainKeyFile } = config
  if (!config.chain && [chainUrl, chainTokenFile, chainProvider, chainKeyFile].some(Boolean)) {
    throw new ConfigError('a chain is named, but is not asked: say --chain, too')
  }
  const tell = (difference: Difference) => {
    const { about, problem } = difference
    const line = config.json ? JSON.stringify({ difference }) : printable(`${about}: ${problem}`)
    process.stdout.write(`${line}\n`)
  }
  const report = (await verifyRunning(config, tell)) ?? (await verifyFile(config, tell))
  process.stdout.write(config.json ? `${JSON.stringify({ report })}\n` : sentence(report))
  if (report.differences > 0) process.exitCode = 1
}

/** Who changed the ledger may have left something in it for the terminal of whoever looks. */
const printable = (text: string): string => text.replace(/\p{C}/gu, '?')

function sentence({ differences, entries, requests, vouchers, channels, onChain }: VerifyReport): string {
  const looked = `${entries} entries, ${requests} requests with their receipts, ${vouchers} vouchers and ${channels} channels`
  const compared = onChain > 0 ? `, ${onChain} of them against the chain` : ''
  return `${looked}${compared}: ${differences === 0 ? 'no difference' : `${differences} differences`}\n`
}

/** Has the running server verify its own books. @returns undefined when none runs on this folder */
async function verifyRunning(
  { data, chain, json }: Config,
  tell: (difference: Difference) => void,
): Promise<VerifyReport | undefined> {
  let access: ControlAccess
  let job: unknown
  try {
    access = readAccess(data)
    job = ((await callControl(access, 'ledger/verify', { chain })) as { job: string }).job
  } catch (error) {
    if (codeOf(error) === 'ERR_NOT_RUNNING') return undefined
    throw error
  }
  for (;;) {
    const { rows, differences, report, failed } = (await callControl(access, 'ledger/verify/next', {
      job,
    })) as VerifyProgress
    for (const difference of differences) tell(difference)
    if (report) return report
    if (failed !== undefined) throw new ControlError(failed, `the verification ended early (${failed})`)
    if (!json) progress(rows)
    await after(200)
  }
}

/** Verifies the books of a server that does not run; nobody can start it meanwhile. */
async function verifyFile(config: Config, tell: (difference: Difference) => void): Promise<VerifyReport> {
  const place = await ledgerPlace({ ...config, data: join(config.data, 'gateway') })
  if (place.file !== undefined && !existsSync(place.file)) {
    throw new ConfigError(`--data ${config.data}: there is no ledger (${place.file})`)
  }
  const chain = config.chain ? await chainOf(config) : undefined
  const books = await Ledger.open({
    ...place,
    now: Date.now,
    signVoucher: () => {
      throw new Error('nothing is signed here')
    },
    onWarning: (message) => process.stderr.write(`${message}\n`),
  })
  try {
    return await books.verify({
      globalId: chain?.globalId ?? (await networkGlobalId(config.network)),
      onDifference: tell,
      wholeFile: true,
      ...(chain && { onChain: (params) => readChannel(params, chain) }),
      ...(!config.json && { onProgress: progress }),
    })
  } finally {
    await books.close()
  }
}

/** The chain that the settings name, else the local one of the data folder. */
async function chainOf(config: Config): Promise<Chain> {
  const { data, network, chainUrl, chainTokenFile } = config
  if (network !== 'local' || chainUrl !== undefined || chainTokenFile !== undefined) {
    return await connectChain(config)
  }
  const read = (name: string) => {
    try {
      return readFileSync(join(data, 'chain', name), 'utf8').trim()
    } catch {
      throw new ConfigError(
        `--chain: ${data} has no local chain; name another one by --network or --chain-url`,
      )
    }
  }
  return await connectLocalChain({ url: read('url'), token: read('token') })
}

/** Says how far it is, on a terminal only. */
function progress(rows: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${rows} rows\r`)
}
