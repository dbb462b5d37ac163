/** `chrysalis channel list|export`: what a payer's channels hold, and what they were spent on. */

import { existsSync } from 'node:fs'
import { z } from 'zod'
import { loadConfig } from '../../attest/cli/config.ts'
import { formatTon, formatUsd, parseUsdRate, type UsdRate } from '../../contracts/amount.ts'
import { type ChannelState, chainSettings, isTombstone, readChannelState } from '../../contracts/index.ts'
import { type ChannelFolder, readChannels, SidecarState } from '../sidecar/index.ts'
import { connectChain, type PayersChain } from './chain-settings.ts'
import { money } from './channel-order.ts'
import { dataSetting, usdSetting } from './sidecar-settings.ts'
import { knownOf } from './sidecar-status.ts'

/** `chrysalis channel list`: every channel of the folder; the chain is asked now. */
export async function list(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    ...usdSetting,
    json: z.boolean().default(false).describe('print JSON; amounts are nanotons'),
    ...chainSettings,
  })
  const summary =
    'Show your channels: what the chain shows at this moment, what receipts prove, what is left.'
  const config = loadConfig({ name: 'chrysalis channel list', summary, schema }, { argv, env: process.env })
  const rate = config.usd === undefined ? undefined : parseUsdRate(config.usd)
  const chain = await connectChain(config)
  const now = await chain.now()
  const all = []
  for (const channel of await readChannels(config.data)) all.push(await look(channel, chain, now))
  if (config.json) return say(JSON.stringify({ channels: all }))
  say(all.length === 0 ? `no channels in ${config.data}` : all.map((each) => describe(each, rate)).join('\n'))
}

type Looked = Awaited<ReturnType<typeof look>>

async function look(channel: ChannelFolder, chain: PayersChain, now: number) {
  const { params, gateway, globalId } = channel.record
  const known = knownOf(channel)
  const elsewhere = globalId !== chain.globalId
  const state = elsewhere ? undefined : await readChannelState(params, chain)
  const { deposited = 0n, settled = 0n, closeAt = 0 } = state ?? {}
  return {
    ...{ address: channel.address, name: channel.name, gateway, globalId },
    signer: channel.record.signer ?? 'client',
    state: elsewhere ? 'on another network' : stateOf(state, channel, now),
    ...{ deposited: deposited.toString(), settled: settled.toString() },
    ...{ proven: known?.proven ?? '0', signed: known?.signed ?? '0', running: known?.running ?? 0 },
    halted: known?.halted ?? null,
    /** Seconds until the rest can be fetched; null while no close runs. */
    secondsLeft: closeAt === 0 || (state && isTombstone(state)) ? null : Math.max(0, closeAt - now),
  }
}

function stateOf(state: ChannelState | undefined, { record, wasOpened }: ChannelFolder, now: number): string {
  if (!state && wasOpened) return 'closed'
  if (!state || (state.deposited === 0n && state.closeAt === 0))
    return now < record.params.openUntil ? 'not paid yet' : 'never paid'
  if (isTombstone(state)) return 'closed'
  if (state.closeAt === 0) return 'open'
  return now < state.closeAt ? 'closing' : 'closing, to be finished'
}

function describe(each: Looked, rate: UsdRate | undefined): string {
  const { name, gateway, signer, state, deposited, signed, proven, settled, halted, secondsLeft } = each
  const left = BigInt(deposited) - BigInt(proven)
  const spent = [
    `  spent      ${money(BigInt(proven), rate)}, as receipts prove`,
    `  signed     ${money(BigInt(signed), rate)}`,
  ]
  const lines = [
    `channel ${name} (${state}${secondsLeft === null ? '' : `, ${secondsLeft} s left`})`,
    `  gateway    ${gateway}`,
    `  deposited  ${money(BigInt(deposited), rate)}`,
    ...(signer === 'gateway' ? ['  signed     by the gateway, for an API key'] : spent),
    `  settled    ${money(BigInt(settled), rate)}`,
  ]
  if (signer === 'gateway') return lines.join('\n')
  if (state === 'open') lines.push(`  left       ${money(left, rate)}`)
  if (halted) lines.push(`  STOPPED    ${halted.code}: ${halted.message}`)
  return lines.join('\n')
}

/** `chrysalis channel export`: the books. Asks nobody, so that it works while the sidecar serves and for closed channels. */
export async function exportBooks(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    format: z.enum(['csv', 'json']).default('csv').describe('csv or json'),
    ...usdSetting,
  })
  const summary =
    'Print every proven charge, with the hash of its receipt, and every movement on the chain that was made here.'
  const config = loadConfig({ name: 'chrysalis channel export', summary, schema }, { argv, env: process.env })
  const rate = config.usd === undefined ? undefined : parseUsdRate(config.usd)
  const entries: Entry[] = []
  for (const channel of await readChannels(config.data)) entries.push(...(await booksOf(channel)))
  entries.sort((a, b) => a.at - b.at)
  say(config.format === 'json' ? JSON.stringify(entries.map((each) => row(each, rate))) : csv(entries, rate))
}

/** A line of the books. Paid in, charged, gone to the payee at the end, come back at the end; nanotons. */
interface Entry {
  at: number
  kind: 'deposit' | 'charge' | 'payee' | 'returned'
  channel: string
  gateway: string
  amount: bigint
  request: string
  path: string
  /** SHA-256 of the receipt. */
  receipt: string
}

async function booksOf(channel: ChannelFolder): Promise<Entry[]> {
  const { address, record } = channel
  const common = { channel: address, gateway: record.gateway }
  const none = { request: '', path: '', receipt: '' }
  const entries: Entry[] = (await channel.movements()).map((each) => ({ ...each, ...common, ...none }))
  if (!existsSync(channel.stateFile)) return entries
  const state = new SidecarState(channel.stateFile, address)
  try {
    for (const { at, charged, requestId, path, digest } of state.charges())
      entries.push({
        ...{ at, kind: 'charge', ...common, amount: charged },
        ...{ request: requestId, path, receipt: digest },
      })
  } finally {
    state.close()
  }
  return entries
}

function row({ at, kind, channel, gateway, amount, request, path, receipt }: Entry, rate?: UsdRate) {
  return {
    ...{ time: new Date(at).toISOString(), kind, channel, gateway, ton: formatTon(amount) },
    ...(rate && { usd: formatUsd(amount, rate) }),
    ...{ request, path, receipt },
  }
}

function csv(entries: Entry[], rate: UsdRate | undefined): string {
  const rows = entries.map((each) => row(each, rate))
  const names = [
    'time',
    'kind',
    'channel',
    'gateway',
    'ton',
    ...(rate ? ['usd'] : []),
    'request',
    'path',
    'receipt',
  ]
  const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const lines = rows.map((each) => Object.values(each).map(quote).join(','))
  return [names.join(','), ...lines].join('\n')
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
