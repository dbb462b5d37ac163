/** `chrysalis channel prices`: what models cost, in TON and, at a given rate, in dollars. */

import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { formatTon, formatUsd, parseUsdRate, type UsdRate } from '../../contracts/amount.ts'
import type { PriceTable } from '../fund/index.ts'
import { findChannel, type ModelPrices, readChannels, readPrices } from '../sidecar/index.ts'
import { Upstream } from '../sidecar/upstream.ts'
import { describePrices } from './channel-text.ts'
import { dataSetting, usdSetting } from './sidecar-settings.ts'

const KINDS = ['prompt', 'cached', 'completion', 'reasoning'] as const

/** Prices in TON for a million tokens, and in dollars where the user gave a rate. */
export function priceTable(models: readonly ModelPrices[], rate: UsdRate | undefined): PriceTable {
  const cell = (nanotons: string) => {
    const amount = BigInt(nanotons)
    return rate ? `${formatTon(amount)} (${formatUsd(amount, rate)})` : formatTon(amount)
  }
  return {
    unit: `${rate ? 'TON (USD)' : 'TON'} for a million tokens`,
    columns: ['model', ...KINDS],
    rows: models.map((each) => [each.model, ...KINDS.map((kind) => cell(each[kind]))]),
  }
}

/** `chrysalis channel prices` */
export async function prices(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    gateway: z
      .string()
      .min(1)
      .optional()
      .describe('address of the gateway; default: the one of the channel that was opened last'),
    ...usdSetting,
    json: z.boolean().default(false).describe('print JSON; prices are nanotons for a million tokens'),
  })
  const summary =
    'Show what the models of a gateway cost. Nothing is paid for asking, and no channel is needed.'
  const config = loadConfig({ name: 'chrysalis channel prices', summary, schema }, { argv, env: process.env })
  const rate = config.usd === undefined ? undefined : parseUsdRate(config.usd)
  const upstream = new Upstream(config.gateway ?? (await gatewayIn(config.data)))
  try {
    const models = await readPrices(upstream)
    const gateway = upstream.origin.origin
    if (config.json) return say(JSON.stringify({ gateway, models }))
    say(models.length === 0 ? `${gateway} has no model now` : describePrices(priceTable(models, rate)))
  } finally {
    upstream.close()
  }
}

/** The gateway of the channel that was opened last. @throws ConfigError without one */
async function gatewayIn(data: string): Promise<string> {
  const channel = await findChannel(data).catch(async (cause: unknown) => {
    if ((await readChannels(data)).length > 0) throw cause
    throw new ConfigError(`--gateway URL: say which gateway, as there is no channel in ${data} yet`)
  })
  return channel.record.gateway
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
