import { existsSync } from 'node:fs'
import { z } from 'zod'
import { loadConfig } from '../../attest/cli/config.ts'
import { formatTon } from '../../contracts/amount.ts'
import {
  type ChannelFolder,
  findChannel,
  readChannels,
  SidecarFolder,
  SidecarState,
} from '../sidecar/index.ts'
import { openParts } from '../sidecar/server.ts'
import { dataSetting, payingOptions, payingSettings } from './sidecar-settings.ts'

/** `chrysalis sidecar status`: what is known here, also while the sidecar serves. Asks nobody. */
export async function status(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    json: z.boolean().default(false).describe('print JSON; amounts are nanotons'),
  })
  const summary =
    'Show the channels of this folder: what was deposited, proven and signed, and why signing stopped.'
  const config = loadConfig({ name: 'chrysalis sidecar status', summary, schema }, { argv, env: process.env })
  const current = await findChannel(config.data)
  const all = []
  for (const channel of await readChannels(config.data)) {
    const known = knownOf(channel)
    if (!known) continue
    const ended = await channel.hasEnded()
    all.push({ ...known, current: channel.address === current.address, ended })
  }
  if (config.json) process.stdout.write(`${JSON.stringify({ channels: all })}\n`)
  else for (const each of all) process.stdout.write(describe(each))
}

/** What this folder knows of a channel; undefined before its first deposit. */
export function knownOf(channel: ChannelFolder): Omit<Shown, 'current' | 'ended'> | undefined {
  if (!existsSync(channel.stateFile)) return undefined
  const state = new SidecarState(channel.stateFile, channel.address)
  try {
    return {
      address: channel.address,
      name: channel.name,
      gateway: channel.record.gateway,
      deposited: state.deposited.toString(),
      proven: state.verified.toString(),
      signed: state.ceiling.toString(),
      running: state.open().length,
      halted: state.halted ?? null,
    }
  } finally {
    state.close()
  }
}

interface Shown {
  address: string
  /** The address as wallets show it. */
  name: string
  current: boolean
  /** Closed from here. */
  ended: boolean
  gateway: string
  deposited: string
  proven: string
  signed: string
  running: number
  halted: { code: string; message: string; evidence?: string } | null
}

function describe({ name, current, ended, gateway, running, halted, ...amounts }: Shown): string {
  const mark = ended ? ' (closed)' : current ? ' (current)' : ''
  const lines = [`channel ${name}${mark}`, `  gateway    ${gateway}`]
  for (const each of ['deposited', 'proven', 'signed'] as const)
    lines.push(`  ${each.padEnd(10)} ${formatTon(BigInt(amounts[each]))} TON`)
  if (running > 0) lines.push(`  running    ${running} requests`)
  if (halted) {
    lines.push(`  STOPPED    ${halted.code}: ${halted.message}`)
    if (halted.evidence) lines.push(`  evidence   ${halted.evidence}`)
    lines.push(
      '  next       chrysalis sidecar resume, once the gateway has put it right; or chrysalis sidecar close',
    )
  }
  return `${lines.join('\n')}\n`
}

/** `chrysalis sidecar resume`: looks again at what did not add up, and goes on if it does now. */
export async function resume(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...payingSettings,
    acceptCharges: z
      .boolean()
      .default(false)
      .describe('take charges of requests that were made here as they are, proven or not'),
  })
  const summary = 'Go through the charges of the gateway again, and sign on if they add up now.'
  const config = loadConfig({ name: 'chrysalis sidecar resume', summary, schema }, { argv, env: process.env })
  const folder = await SidecarFolder.open(config.data)
  const parts = await openParts({
    ...(await payingOptions(config, folder)),
    ...{ accept: config.acceptCharges, log: { info: () => {}, warn: () => {}, error: () => {} } },
  })
  try {
    parts.state.setHalt(undefined)
    await parts.accounts.resume()
    await parts.accounts.quiet()
    const { halted, verified } = parts.state
    if (halted) throw Object.assign(new Error(halted.message), { code: halted.code })
    process.stdout.write(`everything adds up: ${formatTon(verified)} TON are proven\n`)
  } finally {
    await parts.accounts.idle()
    parts.upstream.close()
    parts.state.close()
    folder.close()
  }
}
