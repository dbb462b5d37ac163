import { Address } from '@ton/core'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { formatTon, parseTon } from '../../contracts/amount.ts'
import {
  ChannelClient,
  chainSettings,
  type MessageSender,
  privateKeyFromSeed,
  type WaitOptions,
  Wallet,
} from '../../contracts/index.ts'
import { readSecret } from '../data/index.ts'
import {
  askRelease,
  closeByAgreement,
  finishClosing,
  openChannel,
  type Release,
  topUpChannel,
} from '../sidecar/channel.ts'
import { SidecarFolder } from '../sidecar/index.ts'
import { restoreChannel } from '../sidecar/restore.ts'
import { openParts } from '../sidecar/server.ts'
import { Upstream } from '../sidecar/upstream.ts'
import { connectChain, type PayersChain } from './chain-settings.ts'
import { dataSetting, payingOptions, payingSettings } from './sidecar-settings.ts'

const walletSetting = {
  wallet: z
    .string()
    .min(1)
    .optional()
    .describe('file of the wallet that pays, made on first use (0600); default: wallet in the data folder'),
  faucet: z
    .boolean()
    .default(false)
    .describe('fill the wallet from the faucet of the local chain: play money'),
}

const amount = (about: string) => z.string().min(1).describe(about)

/** `chrysalis sidecar open`: opens a channel to a gateway from a local wallet. */
export async function open(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    gateway: z.string().min(1).describe('address of the gateway'),
    deposit: amount('TON to deposit'),
    slice: payingSettings.slice,
    ...chainSettings,
    ...walletSetting,
  })
  const summary = 'Open a payment channel to a gateway. Its voucher key is made here and stays here.'
  const config = loadConfig({ name: 'chrysalis sidecar open', summary, schema }, { argv, env: process.env })
  const deposit = parseTon(config.deposit)
  await onChain(config, deposit, async ({ folder, chain, wallet }) => {
    const upstream = new Upstream(config.gateway)
    const channel = await openChannel({
      folder,
      upstream,
      chain,
      wallet,
      deposit,
      slice: parseTon(config.slice),
    })
    upstream.close()
    say(`channel ${channel.name} is open with ${formatTon(deposit)} TON; serve with: chrysalis sidecar`)
  })
}

/** `chrysalis sidecar top-up`: raises the deposit. */
export async function topUp(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    amount: amount('TON to add'),
    ...chainSettings,
    ...walletSetting,
  })
  const summary = 'Raise the deposit of the channel. Not to be repeated without a look at the status.'
  const config = loadConfig({ name: 'chrysalis sidecar top-up', summary, schema }, { argv, env: process.env })
  const added = parseTon(config.amount)
  await onChain(config, added, async ({ folder, chain, wallet }) => {
    const { deposited } = await topUpChannel(await folder.channel(), { chain, wallet }, added)
    say(`the deposit is ${formatTon(deposited)} TON now`)
  })
}

/** `chrysalis sidecar close`: ends the channel, by agreement or by the clock. */
export async function close(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...payingSettings,
    start: z.boolean().default(false).describe('without the gateway: start the challenge period'),
    finish: z.boolean().default(false).describe('when that is over: get the rest back'),
    ...chainSettings,
    ...walletSetting,
  })
  const summary = 'End the channel: the gateway gets what receipts prove, and the rest returns to the wallet.'
  const config = loadConfig({ name: 'chrysalis sidecar close', summary, schema }, { argv, env: process.env })
  if (config.start && config.finish) throw new ConfigError('--start, --finish: one at a time')
  await onChain(config, 0n, async ({ folder, chain, wallet }) => {
    const options = await payingOptions(config, folder)
    if (config.finish) {
      await finishClosing(options.channel, { chain, wallet })
      return say('the channel is gone, and the rest is back in the wallet')
    }
    if (config.start) {
      const client = new ChannelClient({ chain, params: options.channel.record.params })
      const { closeAt } = await client.startClose(wallet)
      return say(
        `closing; finish it from ${new Date(closeAt * 1000).toISOString()} on: chrysalis sidecar close --finish`,
      )
    }
    const { amount } = await closeProven(options, { chain, wallet })
    say(`closed: the gateway got ${formatTon(amount)} TON, and the rest is back in the wallet`)
  })
}

/** Asks for the gateway's release, proves what it wants, and closes with it. @returns the release */
export async function closeProven(
  options: Awaited<ReturnType<typeof payingOptions>>,
  on: { chain: PayersChain; wallet: MessageSender } & WaitOptions,
): Promise<Release> {
  const parts = await openParts({ ...options, log: console })
  try {
    await parts.accounts.resume()
    const release = await askRelease(parts.client, parts.state)
    await parts.accounts.walk()
    const { verified } = parts.state
    await closeByAgreement(options.channel, on, { release, verified })
    return release
  } finally {
    await parts.accounts.idle()
    parts.upstream.close()
    parts.state.close()
  }
}

/** `chrysalis sidecar restore`: goes on with a channel of which only the key is left. */
export async function restore(argv: string[]): Promise<void> {
  const schema = z.strictObject({
    ...dataSetting,
    gateway: z.string().min(1).describe('address of the gateway'),
    channel: z.string().min(1).describe('address of the channel'),
    keyFile: z.string().min(1).describe('file of its voucher key: 64 hexadecimal digits, mode 0600'),
    slice: z.string().default('0.1').describe('the largest slice (TON) that was ever used on it'),
    ...chainSettings,
  })
  const summary = 'Go on with a channel of which only the voucher key and the address are left.'
  const config = loadConfig(
    { name: 'chrysalis sidecar restore', summary, schema },
    { argv, env: process.env },
  )
  const hex = Buffer.from((await readSecret(config.keyFile)) ?? [])
    .toString('utf8')
    .trim()
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new ConfigError(`--key-file ${config.keyFile}: no file of 64 hexadecimal digits`)
  const chain = await connectChain(config)
  const folder = await SidecarFolder.open(config.data)
  try {
    const channel = await restoreChannel({
      folder,
      upstream: new Upstream(config.gateway),
      globalId: chain.globalId,
      address: parseAddress(config.channel),
      key: privateKeyFromSeed(Buffer.from(hex, 'hex')),
      slice: parseTon(config.slice),
      now: Date.now,
    })
    say(`channel ${channel.name} is back; serve with: chrysalis sidecar`)
  } finally {
    folder.close()
  }
}

interface OnChain {
  folder: SidecarFolder
  chain: PayersChain
  wallet: Wallet
}

type ChainConfig = Parameters<typeof connectChain>[0]

async function onChain(
  config: ChainConfig & { data: string; wallet?: string | undefined; faucet: boolean },
  needed: bigint,
  work: (on: OnChain) => Promise<void>,
): Promise<void> {
  const folder = await SidecarFolder.open(config.data)
  try {
    const chain = await connectChain(config)
    const wallet = await Wallet.open(config.wallet ?? folder.walletFile, chain.globalId)
    if (config.faucet && !chain.fund) throw new ConfigError('--faucet: only the local chain has one')
    if (config.faucet) await chain.fund?.(wallet.address, needed + FEES)
    await work({ folder, chain, wallet })
  } finally {
    folder.close()
  }
}

/** For messages and rent of a channel's whole life, nanotons. */
const FEES = 1_000_000_000n

/** An address in any notation. @throws ConfigError that names the flag */
export function parseAddress(text: string, flag = '--channel'): Address {
  try {
    return Address.parse(text)
  } catch {
    throw new ConfigError(`${flag}: not an address of TON`)
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
