/** How a payer's verbs are paid for: asked of a person, in a terminal and on a page, or taken from a wallet file. */

import type { Address } from '@ton/core'
import { z } from 'zod'
import { ConfigError } from '../../attest/cli/config.ts'
import { codeOf } from '../../attest/cli/process.ts'
import { parseUsdRate } from '../../contracts/amount.ts'
import { ChannelClient, type chainSettings, type MessageSender, Wallet } from '../../contracts/index.ts'
import { AskedWallet, FundError, type PaymentOrder } from '../fund/index.ts'
import { type ChannelFolder, type ModelPrices, SidecarFolder } from '../sidecar/index.ts'
import { connectChain, type PayersChain } from './chain-settings.ts'
import { Asking } from './channel-asking.ts'
import { money, viewOf } from './channel-order.ts'
import { priceTable } from './channel-prices.ts'
import { type dataSetting, usdSetting } from './sidecar-settings.ts'

/** Settings of every verb that asks for a payment. */
export const howToPay = {
  fromWallet: z
    .string()
    .min(1)
    .optional()
    .describe('pay from this wallet file (0600, made on first use) instead of asking for a transfer'),
  patience: z.coerce
    .number()
    .int()
    .min(60)
    .max(900)
    .default(600)
    .describe('seconds for which the link is good, and is waited for'),
  ...usdSetting,
  page: z
    .boolean()
    .default(false)
    .describe(
      'show it on a page too, for the browser of this machine: QR code, links, TON Connect request, status',
    ),
  qr: z
    .string()
    .min(1)
    .optional()
    .describe('write the QR code to this file too, as SVG: for terminals that are too narrow'),
  json: z.boolean().default(false).describe('print JSON lines: pay (link, TON Connect request), then done'),
}

/** Who pays, for the verbs of a channel. */
export interface Payer {
  wallet: MessageSender
  pause?: () => Promise<void>
}

export interface Paying {
  folder: SidecarFolder
  chain: PayersChain
  /** The wallet file, or the person's wallet at this address, which is shown `prices` and `notes` when it is asked. */
  payerAt: (
    address: Address | undefined,
    prices?: readonly ModelPrices[],
    notes?: readonly string[],
  ) => Promise<Payer>
  /** Says how it ended, with the deposit as it was read back. */
  done: (channel: ChannelFolder, text: string, secret?: Secret) => Promise<void>
}

/** What the terminal alone is told at the end: in lines, and in the last line of `--json`. */
export interface Secret {
  lines: readonly string[]
  json: object
}

type PayingConfig = z.infer<z.ZodObject<typeof howToPay & typeof chainSettings & typeof dataSetting>>

/** Does what a payer's verb does, with the folder locked and the chain open; tells the person where it stands. */
export async function paying(config: PayingConfig, work: (on: Paying) => Promise<void>): Promise<void> {
  if (config.page && config.fromWallet !== undefined)
    throw new ConfigError('--page, --from-wallet: one of them; a wallet file pays without asking anybody')
  const rate = config.usd === undefined ? undefined : parseUsdRate(config.usd)
  const folder = await SidecarFolder.open(config.data)
  const asking = new Asking(config)
  try {
    const chain = await connectChain(config)
    const { globalId } = chain
    const payerAt: Paying['payerAt'] = async (address, models, notes) => {
      if (config.fromWallet !== undefined) return { wallet: await Wallet.open(config.fromWallet, globalId) }
      if (!address) throw new ConfigError('--payer: the address of your wallet')
      const prices = models && models.length > 0 ? priceTable(models, rate) : undefined
      const show = async (order: PaymentOrder) => {
        const { record } = await folder.channel(order.to.toRawString())
        await asking.show(order, viewOf(order, record, { rate, data: config.data, prices, notes }))
      }
      const wallet = new AskedWallet({
        address,
        globalId,
        show,
        onSent: () => asking.sent(),
        patience: config.patience,
      })
      return { wallet, pause: wallet.pause }
    }
    const done = async (channel: ChannelFolder, text: string, secret?: Secret) => {
      const state = await new ChannelClient({ chain, params: channel.record.params }).state()
      const deposited = state?.deposited ?? 0n
      const lines = [`channel ${channel.name}: ${text}`]
      if (state && state.closeAt === 0) lines.push(`deposit ${money(deposited, rate)}, as the chain shows it`)
      const json = { event: 'done', channel: channel.address, deposited: String(deposited), ...secret?.json }
      asking.ended(lines, json, secret?.lines)
    }
    await work({ folder, chain, payerAt, done })
  } catch (error) {
    throw asking.failed(unpaid(error, config))
  } finally {
    await asking.close()
    folder.close()
  }
}

/** How waiting ends: all looks were in vain, or they took too long. */
const UNPAID: readonly string[] = ['ERR_CHANNEL_UNCONFIRMED', 'ERR_FUND_UNPAID']

/** A person who did not pay is no failure of the chain. */
function unpaid(error: unknown, { fromWallet, patience }: PayingConfig): unknown {
  if (fromWallet !== undefined || !UNPAID.includes(codeOf(error))) return error
  return new FundError(
    'ERR_FUND_UNPAID',
    `no such payment has arrived within ${patience} s, and the link is no longer good. Look at: chrysalis channel list. ` +
      'A wallet that left out part of the link gets its money back; then try another wallet, or --json for TON Connect',
    { cause: error },
  )
}
