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
