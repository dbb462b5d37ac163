import { readFileSync } from 'node:fs'
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
}

/** `chrysalis channel status|settle|close`: asks the running server through its control plane. */
export async function channel([verb, ...argv]: string[]): Promise<void> {
  const known = VERBS.find((candidate) => candidate === verb)
  if (!known && verb !== '--help')
    throw new ConfigError(`chrysalis channel: say one of ${VERBS.join(', ')}${verb ? `, not '${verb}'` : ''}`)
  const config = loadConfig(
    {
      name: `chrysalis channel ${known ?? VERBS.join('|')}`,
      summary: 'Show, settle or close the payment channels of the server that runs on this data folder.',
      schema,
    },
    { argv: known ? argv : ['--help'], env: process.env },
  )
  const answer = (await callControl(readAccess(config.data), `channel/${known}`)) as ChannelReport
  process.stdout.write(config.json ? `${JSON.stringify(answer)}\n` : table(answer))
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

function table({ channels, balances }: ChannelReport): string {
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
  return `${lines.join('\n')}\n`
}

/** Nanotons as TON, aligned. */
export function ton(nanotons: string): string {
  return `${formatTon(BigInt(nanotons)).padStart(24)} TON`
}
