import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ChannelReport } from '../cli/channel.ts'
import { bodyOf, type ReceiptBody, ROOT, type Stack } from './stack.ts'

export type { ChannelReport }

/** Runs `chrysalis channel VERB` on a data folder. */
export async function channelStatus({ dir }: { dir: string }, verb = 'status'): Promise<ChannelReport> {
  const args = ['gateway/cli/launch.mjs', 'channel', verb, '--data', dir, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  return JSON.parse(stdout)
}

/** What a worker says of its pay; amounts are nanotons in decimal. */
export interface EarningsDocument {
  rows: { day: string; requests: number; earned: string }[]
  total: {
    requests: number
    tokens: Record<string, number>
    earned: string
    vouchered: string
    settled: string
  }
}

/** Runs `chrysalis earnings` on a data folder. */
export async function earningsOf({ dir }: { dir: string }): Promise<EarningsDocument> {
  const args = ['gateway/cli/launch.mjs', 'earnings', '--data', dir, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  return JSON.parse(stdout)
}

/** The channel that pays the worker. */
export function workerChannel({ channels }: ChannelReport): ChannelReport['channels'][number] {
  const found = channels.find(({ role }) => role === 'worker')
  if (!found) throw new Error('the report names no worker channel')
  return found
}

/** The channel that the API key draws on: the newest one. */
export function clientChannel({ channels }: ChannelReport): ChannelReport['channels'][number] {
  const found = channels.filter(({ role }) => role === 'client').at(-1)
  if (!found) throw new Error('the report names no client channel')
  return found
}

/** Asks one question and returns what its receipt charged. */
export async function payFor(stack: Stack, content: string): Promise<bigint> {
  const response = await stack.post('/v1/chat/completions', {
    model: stack.ready.models[0],
    messages: [{ role: 'user', content }],
  })
  await response.text()
  const id = response.headers.get('chrysalis-receipt')
  const headers = { authorization: `Bearer ${stack.ready.apiKey}` }
  const receipt = await bodyOf<ReceiptBody>(await fetch(`${stack.ready.url}/receipts/${id}`, { headers }))
  return BigInt(receipt.charged)
}
