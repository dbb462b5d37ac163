/** The process of `chrysalis withdraw`: from the worker's wallet to its owner's. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '@ton/core'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import {
  type Chain,
  type ChainSettings,
  chainSettings,
  formatTon,
  openChain,
  parseTon,
  Wallet,
} from '../../contracts/index.ts'
import { EarningsError } from '../earnings/errors.ts'
import { bindOwner, networkName, readOwner, written } from '../earnings/owner.ts'
import { withPurse } from '../earnings/purse.ts'
import { readBooks } from '../earnings/report.ts'
import { dustOf, planWithdrawal, settleAll, withdraw } from '../earnings/withdraw.ts'
import { earningsFile, ownerFile, payoutKeyFile, purseOf } from '../folder.ts'
import { runCommand } from './command.ts'

const schema = z.strictObject({
  data: z.string().min(1).default('.chrysalis').describe('data folder of the worker'),
  to: z
    .string()
    .optional()
    .describe(
      'address of your wallet, UQ… or EQ…; the first one is the owner for good, and need not be given again',
    ),
  amount: z.string().optional().describe('TON to send; default: everything but --keep'),
  keep: z.string().default('0.1').describe('TON to leave for the fees of settlements to come'),
  settle: z
    .boolean()
    .default(false)
    .describe('first settle what gateways have promised, whatever the fees are a part of it'),
  yes: z.boolean().default(false).describe('send; without it is only said what would be done'),
  json: z.boolean().default(false).describe('print JSON, amounts in nanotons'),
  ...chainSettings,
  chainUrl: chainSettings.chainUrl.describe('the local TON chain; default: the one in the data folder'),
})

type Settings = z.infer<typeof schema>

/** @throws ConfigError, EarningsError, ContractsError */
async function run(argv: string[]): Promise<void> {
  const settings = loadConfig(
    {
      name: 'chrysalis withdraw',
      summary:
        'Send what the worker on this data folder has got to the wallet of its owner. It may run meanwhile.',
      schema,
      examples: [
        'Examples:',
        '  chrysalis withdraw --to UQ… --amount 2.5          say what would be done',
        '  chrysalis withdraw --to UQ… --amount 2.5 --yes    do it, and remember UQ… as the owner',
        '  chrysalis withdraw --settle --yes                 all that was earned so far, to the owner',
      ].join('\n'),
    },
    { argv, env: process.env },
  )
  const folder = join(settings.data, 'worker')
  const chain = await openChain(chainOf(settings))
  if (!chain)
    throw new ConfigError(
      '--chain-url: name the chain on which the wallet is, and --chain-token-file; or --network',
    )
  const wallet = await openWallet(folder, chain)
  const owner = await readOwner(ownerFile(folder), settings.to, chain.globalId)
  await withPurse(purseOf(folder), () => send(settings, { folder, chain, wallet, owner }))
}

interface Parts {
  folder: string
  chain: Chain
  wallet: Wallet
  owner: Address
}

async function send(settings: Settings, { folder, chain, wallet, owner }: Parts): Promise<void> {
  const amount = settings.amount === undefined ? undefined : parseTon(settings.amount)
  const keep = parseTon(settings.keep)
  let dust = 0n
  if (settings.settle) {
    const { channels } = readBooks(earningsFile(folder))
    if (settings.yes) await settleAll(chain, wallet, channels)
    dust = await dustOf(chain, wallet, channels)
  }
  const plan = await planWithdrawal(chain, wallet, { to: owner, amount, keep, dust })
  if (settings.yes) {
    await bindOwner(ownerFile(folder), owner, chain.globalId)
    await withdraw(chain, wallet, plan)
  }
  const told = {
    sent: settings.yes,
    network: networkName(chain.globalId),
    from: written(wallet.address, chain.globalId),
    to: written(owner, chain.globalId),
    amount: plan.amount,
    balance: settings.yes ? await wallet.balance(chain) : plan.balance,
  }
  process.stdout.write(settings.json ? toJson(told) : toText(told))
  if (!settings.yes) process.exitCode = 1
}

interface Told {
  sent: boolean
  network: string
  from: string
  to: string
  amount: bigint
  balance: bigint
}

function toJson({ amount, balance, ...told }: Told): string {
  return `${JSON.stringify({ ...told, amount: String(amount), balance: String(balance) })}\n`
}

function toText({ sent, network, from, to, amount, balance }: Told): string {
  return [
    `${sent ? 'Sent' : 'Would send'} ${formatTon(amount)} TON on ${network}`,
    `  from the worker  ${from}`,
    `  to its owner     ${to}`,
    `  the worker ${sent ? 'has' : 'holds'} ${formatTon(balance)} TON${sent ? ' left' : ''}`,
    ...(sent
      ? ['The owner’s account shows it.']
      : ['Nothing was sent. Compare the address, then add --yes.']),
    '',
  ].join('\n')
}

/** The chain of the settings, or the local one that a quickstart has in the same folder. */
function chainOf(settings: Settings): ChainSettings {
  const folder = join(settings.data, 'chain')
  const url = join(folder, 'url')
  const named = settings.network !== 'local' || settings.chainUrl !== undefined
  if (named || !existsSync(url)) return settings
  return { ...settings, chainUrl: readFileSync(url, 'utf8').trim(), chainTokenFile: join(folder, 'token') }
}

async function openWallet(folder: string, chain: Chain): Promise<Wallet> {
  const file = payoutKeyFile(folder)
  if (existsSync(file)) return await Wallet.open(file, chain.globalId)
  throw new EarningsError(
    'ERR_WITHDRAW_WALLET',
    `${file} is not there: this worker has no wallet of its own; what it earns goes to its payout address`,
  )
}

await runCommand('chrysalis withdraw', run)
