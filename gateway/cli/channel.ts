import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { formatTon } from '../../contracts/amount.ts'
import { type ControlAccess, ControlError, callControl } from '../control/index.ts'

const VERBS = ['status', 'settle', 'close'] as const

const schema = z.strictObject({
  data: z.string().min(1).default('./.chrysalis').describe('data folder of the running server'),
  json: z.boolean().default(false).describe('print JSON instead of a table'),
})

/** One channel as the control plane reports it; amounts are nanotons in decimal. */
interface ChannelStatus {
  role: string
  signer: string
  address: string
  state: string
  frozen: string | null
  deposited: string
  settled: string
  charged: string
  reserved: string
  ceiling: string
}

/** What every verb answers and `--json` prints. */
export interface ChannelReport {
  channels: ChannelStatus[]
  balances: Record<string, string>
  delegatedKey: 'file' | 'memory'
}

/** Verbs of those who pay a gateway from a channel of their own; each is loaded only when called. */
const PAYERS: Record<string, (argv: string[]) => Promise<void>> = {
  open: async (argv) => (await import('./channel-pay.ts')).open(argv),
  'top-up': async (argv) => (await import('./channel-pay.ts')).topUp(argv),
  list: async (argv) => (await import('./channel-list.ts')).list(argv),
  export: async (argv) => (await import('./channel-list.ts')).exportBooks(argv),
  prices: async (argv) => (await import('./channel-prices.ts')).prices(argv),
}

/** The same words on the folder of a payer mean the payer's own channels. */
const ON_PAYERS_FOLDER: Record<string, (argv: string[]) => Promise<void>> = {
  status: async (argv) => (await import('./channel-list.ts')).list(argv),
  close: async (argv) => (await import('./channel-pay.ts')).close(argv),
}

const USAGE = `Usage: chrysalis channel VERB [options]

Your own channels to a gateway (folder --data, default ./.chrysalis/sidecar):
  prices    what a gateway's models cost, in TON and dollars; needs no channel
  open      make a channel and deposit into it from your wallet: link, QR code, TON Connect (--page: in the browser) or file
  top-up    raise its deposit
  list      all of them, with the chain's numbers of this moment
  export    every charge and every movement on the chain, as CSV or JSON
  close     end one and get the rest back; say --data ./.chrysalis/sidecar

The running server's (folder --data, default ./.chrysalis):
  status    every channel and balance
  settle    take what was charged, now
  close     close the channel that its API keys draw on

chrysalis channel VERB --help explains each.
`

/** `chrysalis channel VERB`: a payer's own channels, or those of the running server, asked through its control plane. */
export async function channel([verb = '--help', ...argv]: string[]): Promise<void> {
  if (verb === '--help' || verb === '-h') {
    process.stdout.write(USAGE)
    return
  }
  const own = PAYERS[verb] ?? (isPayersFolder(dataOf(argv)) ? ON_PAYERS_FOLDER[verb] : undefined)
  if (own) return await own(argv)
  const known = VERBS.find((candidate) => candidate === verb)
  if (!known) {
    const verbs = [...Object.keys(PAYERS), ...VERBS].join(', ')
    throw new ConfigError(`chrysalis channel: say one of ${verbs}, not '${verb}'`)
  }
  const config = loadConfig(
    {
      name: `chrysalis channel ${known}`,
      summary:
        'Show, settle or close the payment channels of the server that runs on this data folder.\n' +
        'For channels that you opened yourself: --data ./.chrysalis/sidecar (or your own folder).',
      schema,
    },
    { argv, env: process.env },
  )
  const answer = (await callControl(readAccess(config.data), `channel/${known}`)) as ChannelReport
  process.stdout.write(config.json ? `${JSON.stringify(answer)}\n` : table(answer))
}

/** The folder that the arguments name, before it is known whose it is. */
function dataOf(argv: readonly string[]): string {
  const at = argv.lastIndexOf('--data')
  const joined = argv.findLast((word) => word.startsWith('--data='))?.slice('--data='.length)
  return (at < 0 ? joined : argv[at + 1]) ?? process.env.CHRYSALIS_DATA ?? './.chrysalis'
}

function isPayersFolder(data: string): boolean {
  return existsSync(join(data, 'channels'))
}

/** The file that the running gateway wrote for this user. */
export function readAccess(data: string): ControlAccess {
  try {
    return JSON.parse(readFileSync(join(data, 'gateway', 'control.json'), 'utf8'))
  } catch (cause) {
    throw new ControlError('ERR_NOT_RUNNING', `no server runs on ${data}; start one with npm start`, {
      cause,
    })
  }
}

const DELEGATED = {
  file: 'a 0600 file on this machine: who reads it can spend what is deposited on such channels',
  memory: 'in enclave memory only; a restart opens a new channel',
}

function table({ channels, balances, delegatedKey }: ChannelReport): string {
  const lines: string[] = []
  for (const { role, signer, address, state, frozen, ...amounts } of channels) {
    const signed = signer === 'client' ? ', vouchers signed by the client' : ''
    lines.push(`${role} channel ${address} (${state}${signed})`)
    if (frozen !== null) lines.push(`  FROZEN     ${frozen}`)
    for (const [name, nanotons] of Object.entries(amounts))
      lines.push(`  ${name.padEnd(10)} ${ton(nanotons)}`)
  }
  lines.push('balances')
  for (const [name, nanotons] of Object.entries(balances)) lines.push(`  ${name.padEnd(10)} ${ton(nanotons)}`)
  lines.push('voucher key of channels without one of their client', `  ${DELEGATED[delegatedKey]}`)
  return `${lines.join('\n')}\n`
}

/** Nanotons as TON, aligned. */
export function ton(nanotons: string): string {
  return `${formatTon(BigInt(nanotons)).padStart(24)} TON`
}
