/**
 * The gas table: what each operation costs, sent by real W5R1 wallets at the prices of June 2026 and before.
 * `node contracts/gas.ts` prints it, `node contracts/gas.ts --write` records it in gas.json; the tests compare.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { internal, type MessageRelaxed } from '@ton/core'
import { type NetworkPrices, PRICES_2025, PRICES_2026_06 } from './chain/prices.ts'
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

async function sample(
  operation: string,
  test: TestChannel,
  wallet: Wallet,
  message: MessageRelaxed,
): Promise<Sample> {
  const before = test.chain.burned()
  const { gasUsed } = await test.from(wallet, message)
  return { operation, gas: Number(gasUsed), fees: Number(test.chain.burned() - before) }
}

async function life(prices: NetworkPrices): Promise<Sample[]> {
  const chain = await MemoryChain.create({ prices })
  const test = await TestChannel.create(chain)
  const { channel, payer, payee } = test
  // The wallets' own deployment is not the channel's cost.
  for (const wallet of [payer, payee])
    await wallet.send(chain, [internal({ to: wallet.address, value: 1n, bounce: false })])
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

/** Measures every operation afresh. Gas depends on nothing but the code; fees on the prices. */
export async function measureGas(): Promise<GasRow[]> {
  const [today, before] = [await life(PRICES_2026_06), await life(PRICES_2025)]
  return today.map((row, index) => ({
    operation: row.operation,
    channelGas: row.gas,
    nanotons: row.fees,
    nanotonsBefore2026: before[index]?.fees ?? 0,
  }))
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
