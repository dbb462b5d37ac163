/** `chrysalis channel open|top-up|close`: from a wallet elsewhere, by link or QR code, or from a wallet file. */

import { Address } from '@ton/core'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { codeOf } from '../../attest/cli/process.ts'
import { formatTon, parseTon, parseUsdRate } from '../../contracts/amount.ts'
import { ChannelClient, chainSettings, type MessageSender, Wallet } from '../../contracts/index.ts'
import { writeFileAtomic } from '../data/index.ts'
import { AskedWallet, FundError, friendly, svgQr, tonLink } from '../fund/index.ts'
import { finishClosing, openChannel, topUpChannel } from '../sidecar/channel.ts'
import { type ChannelFolder, SidecarFolder } from '../sidecar/index.ts'
import { Upstream } from '../sidecar/upstream.ts'
import { connectChain, type PayersChain } from './chain-settings.ts'
import { describeOrder, money, orderJson } from './channel-order.ts'
import { closeProven, parseAddress } from './sidecar-channel.ts'
import { dataSetting, payingOptions, payingSettings } from './sidecar-settings.ts'

const howToPay = {
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
  usd: z.string().optional().describe('dollars for one TON, to show amounts in both; it is never fetched'),
  qr: z
    .string()
    .min(1)
    .optional()
    .describe('write the QR code to this file too, as SVG: for terminals that are too narrow'),
  json: z.boolean().default(false).describe('print JSON lines: pay (link, TON Connect request), then done'),
}
const channelSetting = {
  channel: z.string().optional().describe('address of the channel; default: the one opened last'),
}

/** `chrysalis channel open` */
export async function open(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    gateway: z.string().min(1).describe('address of the gateway'),
    deposit: z.string().min(1).describe('TON to deposit'),
    payer: z
      .string()
      .min(1)
      .optional()
      .describe('address of your wallet: it pays, and what is left returns to it; not with --from-wallet'),
    slice: payingSettings.slice,
    ...howToPay,
    ...chainSettings,
  })
  const summary =
    'Open a payment channel to a gateway from your own wallet: by link, QR code or TON Connect.\n' +
    'The key that spends the deposit is made here and stays here. Run it again if it was interrupted:\n' +
    'it goes on with the same channel, and finds what was paid meanwhile.'
  const config = load('open', summary, schema, argv)
  const [deposit, slice] = [parseTon(config.deposit), parseTon(config.slice)]
  if ((config.payer === undefined) === (config.fromWallet === undefined))
    throw new ConfigError('--payer ADDRESS of your wallet, or --from-wallet FILE: one of them')
  const payer = config.payer === undefined ? undefined : walletAddress(config.payer, config.network)
  await paying(config, async ({ folder, chain, walletOf, done }) => {
    const upstream = new Upstream(config.gateway)
    try {
      const wallet = await walletOf(payer)
      const channel = await openChannel({ folder, upstream, chain, wallet, deposit, slice })
      await done(channel, 'the channel is open; serve programs with: chrysalis sidecar')
    } finally {
      upstream.close()
    }
  })
}

/** `chrysalis channel top-up` */
export async function topUp(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    amount: z.string().min(1).describe('TON to add'),
    ...channelSetting,
    ...howToPay,
    ...chainSettings,
  })
  const summary =
    'Raise the deposit of a channel. Each run asks for another transfer: look at the list first.'
  const config = load('top-up', summary, schema, argv)
  const amount = parseTon(config.amount)
  await paying(config, async ({ folder, chain, walletOf, done }) => {
    const channel = await folder.channel(rawOf(config.channel))
    const wallet = await walletOf(channel.record.params.payer)
    await topUpChannel(channel, { chain, wallet }, amount)
    await done(channel, 'the deposit has grown')
  })
}

/** `chrysalis channel close` on a payer's folder. */
export async function close(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...payingSettings,
    ...channelSetting,
    startClose: z.boolean().default(false).describe('without the gateway: start the challenge period'),
    finish: z.boolean().default(false).describe('when that is over: get the rest back'),
    ...howToPay,
    ...chainSettings,
  })
  const summary =
    'End a channel of yours: the gateway agrees and gets what receipts prove, and the rest returns to your wallet at once.'
  const config = load('close', summary, schema, argv)
  if (config.startClose && config.finish) throw new ConfigError('--start-close, --finish: one at a time')
  await paying(config, async ({ folder, chain, walletOf, done }) => {
    const options = await payingOptions(config, folder, rawOf(config.channel))
    const { channel } = options
    const wallet = await walletOf(channel.record.params.payer)
    if (config.finish) {
      await finishClosing(channel, { chain, wallet })
      return await done(channel, 'the channel is gone, and the rest is back in the wallet')
    }
    if (config.startClose) {
      const client = new ChannelClient({ chain, params: channel.record.params })
      const { closeAt } = await client.startClose(wallet)
      const from = new Date(closeAt * 1000).toISOString()
      return await done(channel, `closing; from ${from} on: chrysalis channel close --finish`)
    }
    const { amount } = await closeProven(options, { chain, wallet })
    await done(
      channel,
      `closed: the gateway got ${formatTon(amount)} TON, and the rest is back in the wallet`,
    )
  })
}

interface Paying {
  folder: SidecarFolder
  chain: PayersChain
  /** The wallet file, or the person's wallet at this address. */
  walletOf: (address: Address | undefined) => Promise<MessageSender>
  /** Says how it ended, with the deposit as it was read back. */
  done: (channel: ChannelFolder, text: string) => Promise<void>
}

type PayingConfig = z.infer<z.ZodObject<typeof howToPay & typeof chainSettings & typeof dataSetting>>

async function paying(config: PayingConfig, work: (on: Paying) => Promise<void>): Promise<void> {
  const { data, fromWallet, patience, json } = config
  const rate = config.usd === undefined ? undefined : parseUsdRate(config.usd)
  const folder = await SidecarFolder.open(data)
  try {
    const chain = await connectChain(config)
    const { globalId } = chain
    const walletOf = async (address: Address | undefined) => {
      if (fromWallet !== undefined) return await Wallet.open(fromWallet, globalId)
      if (!address) throw new ConfigError('--payer: the address of your wallet')
      const show: ConstructorParameters<typeof AskedWallet>[0]['show'] = async (order) => {
        const { record } = await folder.channel(order.to.toRawString())
        if (config.qr !== undefined) await writeFileAtomic(config.qr, svgQr(tonLink(order)))
        if (json) return say(JSON.stringify(orderJson(order)))
        say(describeOrder(order, record, { rate, data, columns: process.stdout.columns ?? 0 }))
      }
      return new AskedWallet({ address, globalId, show, patience })
    }
    const done = async (channel: ChannelFolder, text: string) => {
      const state = await new ChannelClient({ chain, params: channel.record.params }).state()
      const { address, record } = channel
      const deposited = state?.deposited ?? 0n
      if (json) return say(JSON.stringify({ event: 'done', channel: address, deposited: String(deposited) }))
      say(`channel ${friendly(Address.parseRaw(address), record.globalId)}: ${text}`)
      if (state && state.closeAt === 0) say(`deposit ${money(deposited, rate)}, as the chain shows it`)
    }
    await work({ folder, chain, walletOf, done }).catch((error: unknown) => {
      throw unpaid(error, config)
    })
  } finally {
    folder.close()
  }
}

/** A person who did not pay is no failure of the chain. */
function unpaid(error: unknown, { fromWallet, patience }: PayingConfig): unknown {
  if (fromWallet !== undefined || codeOf(error) !== 'ERR_CHANNEL_UNCONFIRMED') return error
  return new FundError(
    'ERR_FUND_UNPAID',
    `no such payment has arrived within ${patience} s, and the link is no longer good. Look at: chrysalis channel list. ` +
      'A wallet that left out part of the link gets its money back; then try another wallet, or --json for TON Connect',
    { cause: error },
  )
}

function rawOf(address: string | undefined): string | undefined {
  return address === undefined ? undefined : parseAddress(address).toRawString()
}

/** @throws ConfigError for what is no wallet of this network */
function walletAddress(text: string, network: string): Address {
  const address = parseAddress(text, '--payer')
  if (address.workChain !== 0) throw new ConfigError('--payer: a wallet of the basechain (0:…)')
  if (network === 'mainnet' && Address.isFriendly(text) && Address.parseFriendly(text).isTestOnly)
    throw new ConfigError('--payer: this address is marked for test networks, and --network is mainnet')
  return address
}

function load<S extends Record<string, z.ZodType>>(
  verb: string,
  summary: string,
  schema: z.ZodObject<S>,
  argv: string[],
): z.infer<z.ZodObject<S>> {
  return loadConfig({ name: `chrysalis channel ${verb}`, summary, schema }, { argv, env: process.env })
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
