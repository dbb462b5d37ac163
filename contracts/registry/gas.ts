/**
 * The registry's gas table, sent by a real W5R1 wallet at the prices of June 2026 and before.
 * `node contracts/registry/gas.ts` prints it, `node contracts/registry/gas.ts --write` records it in gas.json.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import type { ChainTransaction } from '../chain/local/tvm.ts'
import { type NetworkPrices, PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { MemoryChain } from '../testing.ts'
import { privateKeyFromSeed } from '../voucher/keys.ts'
import { gatewayEntry, measurementEntry } from './entries.ts'
import type { Step } from './steps.ts'
import { TEST_DELAY, TestRegistry, testKey, testModel, testOwners } from './testing.ts'

/** One operation: gas of the registry alone, and all fees of all accounts in nanotons. */
export interface RegistryGasRow {
  operation: string
  gas: number
  nanotons: number
  nanotonsBefore2026: number
}

const GAS_FILE = new URL('gas.json', import.meta.url)

const REGISTER = 'ab'.repeat(48)
const measurement = measurementEntry({
  roles: ['worker'],
  mrTd: REGISTER,
  rtmr: [REGISTER, REGISTER, REGISTER, REGISTER],
  mrConfigId: null,
  mrOwner: null,
  mrOwnerConfig: null,
})

async function life(prices: NetworkPrices): Promise<{ operation: string; gas: number; fees: number }[]> {
  const chain = await MemoryChain.create({ prices })
  // Fixed keys, and entries enough that the dictionaries have a few levels.
  const keys = testOwners(5, (index) => privateKeyFromSeed(Buffer.alloc(32, index + 1)))
  const entries = Array.from({ length: 64 }, (_, index) => testModel(index))
  const test = await TestRegistry.create(chain, { entries, threshold: 3 }, keys)
  const samples: { operation: string; gas: number; fees: number }[] = []
  const sample = async (operation: string, send: () => Promise<ChainTransaction>) => {
    const before = chain.burned()
    const { gasUsed, success } = await send()
    if (!success) throw new Error(`${operation}: refused`)
    samples.push({ operation, gas: Number(gasUsed), fees: Number(chain.burned() - before) })
  }
  const put: Step = { kind: 'put', entry: testModel(100) }
  await sample('propose one model, 3 of 5 sign', () => test.propose([put]))
  const several: Step[] = Array.from({ length: 16 }, (_, n) => ({ kind: 'put', entry: testModel(200 + n) }))
  await sample('propose 16 models', () => test.propose(several))
  await test.propose([{ kind: 'put', entry: measurement }])
  const gateway = gatewayEntry(testKey(300), { endpoint: 'https://gateway.example/v1' })
  await test.propose([{ kind: 'put', entry: gateway }])
  chain.time += TEST_DELAY
  await sample('execute: one model', () => test.execute(1))
  await sample('execute: 16 models', () => test.execute(2))
  await sample('execute: a set of measurements', () => test.execute(3))
  await sample('execute: a gateway', () => test.execute(4))
  await sample('revoke by one owner', () => test.revoke(0, testKey(7)))
  await sample('remove', () => test.propose([{ kind: 'remove', table: 'models', key: testKey(8) }]))
  await sample('renew', () => test.propose([{ kind: 'renew', expiresAt: chain.time + 60 * 86_400 }]))
  await test.propose([put])
  await sample('cancel by one owner', () => test.cancel(1, 7))
  const { owners } = test.params
  await test.propose([{ kind: 'owners', owners, threshold: 3, delaySeconds: TEST_DELAY }])
  chain.time += TEST_DELAY
  await sample('execute: new owners', () => test.execute(8))
  return samples
}

/** Measures every operation afresh. @throws Error when one takes other gas at other prices */
export async function measureRegistryGas(): Promise<RegistryGasRow[]> {
  const [today, before] = [await life(PRICES_2026_06), await life(PRICES_2025)]
  return today.map(({ operation, gas, fees }, index) => {
    const then = before[index]
    if (then?.gas !== gas) throw new Error(`${operation}: ${gas} gas, and ${then?.gas} at earlier prices`)
    return { operation, gas, nanotons: fees, nanotonsBefore2026: then.fees }
  })
}

/** The committed table. */
export function recordedRegistryGas(): RegistryGasRow[] {
  return JSON.parse(readFileSync(GAS_FILE, 'utf8')) as RegistryGasRow[]
}

const ton = (nanotons: number): string => (nanotons / 1e9).toFixed(6)

/** The table as Markdown. */
export function registryGasTable(rows: RegistryGasRow[]): string {
  const head = [
    '| operation | registry gas | TON, 2026-06 prices | TON, earlier prices |',
    '|---|---|---|---|',
  ]
  const body = rows.map(
    (row) => `| ${row.operation} | ${row.gas} | ${ton(row.nanotons)} | ${ton(row.nanotonsBefore2026)} |`,
  )
  return `${[...head, ...body].join('\n')}\n`
}

if (import.meta.main) {
  const rows = await measureRegistryGas()
  if (process.argv.includes('--write')) writeFileSync(GAS_FILE, `${JSON.stringify(rows, null, 2)}\n`)
  process.stdout.write(registryGasTable(rows))
}
