/** `chrysalis channel open|top-up|close`: from a wallet elsewhere, by link or QR code, or from a wallet file. */

import { Address } from '@ton/core'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { formatTon, parseTon } from '../../contracts/amount.ts'
import { ChannelClient, chainSettings } from '../../contracts/index.ts'
import { finishClosing, openChannel, topUpChannel } from '../sidecar/channel.ts'
import { readPrices } from '../sidecar/prices.ts'
import { Upstream } from '../sidecar/upstream.ts'
import { closeOwned, openForKey, topUpOwned } from './channel-delegated.ts'
import { howToPay, paying } from './channel-paying.ts'
import { closeProven, parseAddress } from './sidecar-channel.ts'
import { dataSetting, payingOptions, payingSettings } from './sidecar-settings.ts'

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
    delegated: z
      .boolean()
      .default(false)
      .describe('for a bare API key: the gateway signs for the deposit, and no sidecar is needed'),
    ...howToPay,
    ...chainSettings,
  })
  const summary =
    'Open a payment channel to a gateway from your own wallet: by link, QR code or TON Connect.\n' +
    'The key that spends the deposit is made here and stays here; with --delegated it is the gateway’s, and\n' +
    'you get an API key. Run it again if it was interrupted: it goes on with the same channel, and finds\n' +
    'what was paid meanwhile.'
  const config = load('open', summary, schema, argv)
  const deposit = parseTon(config.deposit)
  if ((config.payer === undefined) === (config.fromWallet === undefined))
    throw new ConfigError('--payer ADDRESS of your wallet, or --from-wallet FILE: one of them')
  const payer = config.payer === undefined ? undefined : walletAddress(config.payer, config.network)
  await paying(config, async (on) => {
    const { folder, chain, payerAt, done } = on
    const upstream = new Upstream(config.gateway)
    try {
      if (config.delegated) return await openForKey(on, { upstream, payer, deposit, data: config.data })
      const asked = await payerAt(payer, await readPrices(upstream))
      const slice = parseTon(config.slice)
      const channel = await openChannel({ folder, upstream, chain, ...asked, deposit, slice })
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
  await paying(config, async ({ folder, chain, payerAt, done }) => {
    const channel = await folder.channel(rawOf(config.channel))
    const on = { chain, ...(await payerAt(channel.record.params.payer)) }
    await (channel.record.signer === 'gateway' ? topUpOwned : topUpChannel)(channel, on, amount)
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
  await paying(config, async ({ folder, chain, payerAt, done }) => {
    const found = await folder.channel(rawOf(config.channel))
    const channel = config.gateway === undefined ? found : found.at(config.gateway)
    const payer = await payerAt(channel.record.params.payer)
    if (config.finish) {
      await finishClosing(channel, { chain, ...payer })
      return await done(channel, 'the channel is gone, and the rest is back in the wallet')
    }
    if (config.startClose) {
      const { wallet, ...wait } = payer
      const client = new ChannelClient({ chain, params: channel.record.params, ...wait })
      const { closeAt } = await client.startClose(wallet)
      const from = new Date(closeAt * 1000).toISOString()
      return await done(channel, `closing; from ${from} on: chrysalis channel close --finish`)
    }
    const { amount } =
      channel.record.signer === 'gateway'
        ? await closeOwned(channel, { chain, ...payer })
        : await closeProven(await payingOptions(config, folder, channel.address), { chain, ...payer })
    await done(
      channel,
      `closed: the gateway got ${formatTon(amount)} TON, and the rest is back in the wallet`,
    )
  })
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
