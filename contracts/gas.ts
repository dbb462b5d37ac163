/**
 * The gas table: what each operation costs, sent by real W5R1 wallets at the prices of June 2026 and before.
 * `node contracts/gas.ts` prints it, `node contracts/gas.ts --write` records it in gas.json; the tests compare.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { type Address, internal, type MessageRelaxed } from '@ton/core'
import { type NetworkPrices, PRICES_2025, PRICES_2026_06 } from './chain/prices.ts'
import { TestJettonChannel } from './jetton/testing/jetton.ts'
import { MemoryChain, TestChannel } from './testing.ts'
import type { Wallet } from './wallet/wallet.ts'

/** One operation: gas of the channel alone, and all fees of all accounts in nanotons. */
export interface GasRow {
  operation: string
  channelGas: number
  nanotons: number
  nanotonsBefore2026: number
}

const GAS_FILE = new URL('gas.json', import.meta.url)
const TON = 1_000_000_000n

interface Sample {
  operation: string
  gas: number
  fees: number
}

/** `gas` is that of all the channel's transactions that the message led to. */
async function sample(
  operation: string,
  test: { chain: MemoryChain; channel: { address: Address } },
  wallet: Wallet,
  message: MessageRelaxed,
): Promise<Sample> {
  const { chain, channel } = test
  const before = chain.burned()
  await wallet.send(chain, [message])
  let gas = 0
  for (const { account, gasUsed } of chain.last) if (account.equals(channel.address)) gas += Number(gasUsed)
  return { operation, gas, fees: Number(chain.burned() - before) }
}

/** The wallets' own deployment is not the channel's cost. */
async function deployWallets(chain: MemoryChain, wallets: Wallet[]): Promise<void> {
  for (const wallet of wallets)
    await wallet.send(chain, [internal({ to: wallet.address, value: 1n, bounce: false })])
}

async function life(prices: NetworkPrices): Promise<Sample[]> {
  const chain = await MemoryChain.create({ prices })
  const test = await TestChannel.create(chain)
  const { channel, payer, payee } = test
  await deployWallets(chain, [payer, payee])
  const samples = [
    await sample('open with a first deposit', test, payer, channel.deploy(100n * TON)),
    await sample('top up', test, payer, channel.topUp(10n * TON)),
    await sample('settle, amount = ceiling', test, payee, channel.settle(TON, TON, test.voucher(TON))),
    await sample(
      'settle, amount < ceiling',
      test,
      payee,
      channel.settle(2n * TON, 9n * TON, test.voucher(9n * TON)),
    ),
    await sample('settle refused: replay', test, payee, channel.settle(TON, TON, test.voucher(TON))),
    await sample('start close', test, payer, channel.startClose()),
    await sample(
      'settle while closing',
      test,
      payee,
      channel.settle(3n * TON, 9n * TON, test.voucher(9n * TON)),
    ),
  ]
  chain.time += 3600
  samples.push(await sample('finish close by the payer', test, payer, channel.finishClose()))
  const other = new TestChannel(chain, payer, payee, test.voucherKey, test.payeeKey)
  await other.from(payer, other.channel.deploy(100n * TON))
  await other.from(payer, other.channel.startClose())
  chain.time += 3600
  samples.push(await sample('finish close by another', other, payee, other.channel.finishClose()))
  const third = new TestChannel(chain, payer, payee, test.voucherKey, test.payeeKey)
  await third.from(payer, third.channel.deploy(100n * TON))
  chain.time += 601
  const close = third.channel.coopClose(5n * TON, third.release(5n * TON))
  samples.push(await sample('cooperative close', third, payer, close))
  return samples
}

const USD = 1_000_000n
const DAY = 86_400

async function jettonLife(prices: NetworkPrices): Promise<Sample[]> {
  const chain = await MemoryChain.create({ prices })
  const test = await TestJettonChannel.create(chain)
  const { channel, payer, payee } = test
  await deployWallets(chain, [payer, payee])
  const settle = (amount: bigint) => channel.settle(amount, 9n * USD, test.voucher(9n * USD))
  const samples = [
    await sample('jetton: open', test, payer, channel.open()),
    await sample('jetton: first deposit', test, payer, channel.deposit(payer.address, 10n * USD)),
    await sample('jetton: deposit', test, payer, channel.deposit(payer.address, 10n * USD)),
    await sample('jetton: settle, payee without jetton wallet', test, payee, settle(USD)),
    await sample('jetton: settle', test, payee, settle(2n * USD)),
    await sample('jetton: start close', test, payer, channel.startClose()),
    await sample('jetton: deposit sent back', test, payer, channel.deposit(payer.address, 10n * USD)),
  ]
  chain.time += 3600
  samples.push(await sample('jetton: finish close', test, payer, channel.finishClose()))
  chain.time += DAY
  samples.push(await sample('jetton: remove', test, payer, channel.finishClose()))
  const other = new TestJettonChannel(test.jetton, test.base, { openUntil: chain.time + 600 })
  await other.from(payer, other.channel.open())
  await other.from(payer, other.channel.deposit(payer.address, 10n * USD))
  const close = other.channel.coopClose(5n * USD, other.release(5n * USD))
  samples.push(await sample('jetton: cooperative close', other, payer, close))
  return samples
}

async function lives(prices: NetworkPrices): Promise<Sample[]> {
  return [...(await life(prices)), ...(await jettonLife(prices))]
}

/**
 * Measures every operation afresh. Fees depend on the prices, gas on nothing but the code.
 * @throws Error when an operation takes other gas at other prices, as the table has one number for both
 */
export async function measureGas(): Promise<GasRow[]> {
  const [today, before] = [await lives(PRICES_2026_06), await lives(PRICES_2025)]
  return today.map(({ operation, gas, fees }, index) => {
    const then = before[index]
    if (then?.gas !== gas) throw new Error(`${operation}: ${gas} gas, and ${then?.gas} at earlier prices`)
    return { operation, channelGas: gas, nanotons: fees, nanotonsBefore2026: then.fees }
  })
}

/** The committed table. */
export function recordedGas(): GasRow[] {
  return JSON.parse(readFileSync(GAS_FILE, 'utf8')) as GasRow[]
}

function ton(nanotons: number): string {
  return (nanotons / 1e9).toFixed(6)
}

/** The table as Markdown. */
export function gasTable(rows: GasRow[]): string {
  const head = [
    '| operation | channel gas | TON, 2026-06 prices | TON, earlier prices |',
    '|---|---|---|---|',
  ]
  const body = rows.map(
    (row) =>
      `| ${row.operation} | ${row.channelGas} | ${ton(row.nanotons)} | ${ton(row.nanotonsBefore2026)} |`,
  )
  return `${[...head, ...body].join('\n')}\n`
}

if (import.meta.main) {
  const rows = await measureGas()
  if (process.argv.includes('--write')) writeFileSync(GAS_FILE, `${JSON.stringify(rows, null, 2)}\n`)
  process.stdout.write(gasTable(rows))
}
