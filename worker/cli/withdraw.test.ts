import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toBase64 } from '../../attest/bytes.ts'
import { type LocalChainServer, startLocalChainServer } from '../../contracts/chain/local/server.ts'
import {
  Channel,
  channelParamsToJson,
  connectLocalChain,
  generateKey,
  type LocalChain,
  rawPublicKey,
  signVoucher,
  Wallet,
} from '../../contracts/index.ts'
import { systemClock } from '../clock.ts'
import { ChannelBook } from '../earnings/book.ts'
import { withPurse } from '../earnings/purse.ts'
import { EarningsStore } from '../earnings/store.ts'

const CHRYSALIS = fileURLToPath(new URL('../../gateway/cli/chrysalis.ts', import.meta.url))
const TON = 1_000_000_000n

let dir: string
let server: LocalChainServer
let chain: LocalChain
let wallet: Wallet
let store: EarningsStore
const owner = Wallet.fromSeed(randomBytes(32), -217)
const to = owner.address.toString({ bounceable: false })

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'withdraw-cli-'))
  mkdirSync(join(dir, 'worker', 'keys'), { recursive: true })
  const token = randomBytes(32).toString('hex')
  server = await startLocalChainServer({ dir: join(dir, 'chain'), port: 0, token })
  // As a quickstart leaves them.
  writeFileSync(join(dir, 'chain', 'url'), `${server.url}\n`)
  writeFileSync(join(dir, 'chain', 'token'), token)
  chain = await connectLocalChain({ url: server.url, token })
  wallet = await Wallet.open(join(dir, 'worker', 'keys', 'payout.key'), chain.globalId)
  await chain.fund(wallet.address, 3n * TON)
  // A worker runs meanwhile, and has its file open.
  store = new EarningsStore(join(dir, 'worker', 'receipts.sqlite'))
})
afterAll(async () => {
  store.close()
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const command = ['--disable-warning=ExperimentalWarning', CHRYSALIS, 'withdraw', '--data', dir, ...argv]
  return await new Promise((resolve) => {
    execFile(process.execPath, command, (error, out, err) =>
      resolve({ status: error ? Number(error.code) : 0, out, err }),
    )
  })
}

/** Opens a channel to the worker's wallet and writes into its file what the gateway has promised on it. */
async function promise(ceiling: bigint): Promise<void> {
  const payer = Wallet.fromSeed(randomBytes(32), chain.globalId)
  await chain.fund(payer.address, 3n * TON)
  const voucherKey = generateKey()
  const params = {
    ...{ payer: payer.address, payee: wallet.address, voucherKey: rawPublicKey(voucherKey) },
    ...{ payeeKey: rawPublicKey(wallet.key), challengeSeconds: 3600, salt: randomBytes(32) },
    openUntil: (await chain.now()) + 600,
  }
  const channel = new Channel(params)
  const { address } = channel
  await payer.send(chain, [channel.deploy(2n * TON)])
  const book = new ChannelBook(store, systemClock, address.toRawString())
  book.describe('gateway', JSON.stringify(channelParamsToJson(params)))
  book.see({ deposited: 2n * TON, settled: 0n, state: 'open' })
  const voucher = signVoucher(voucherKey, { globalId: chain.globalId, channel: address, ceiling })
  book.raise(ceiling, toBase64(voucher))
  store.flush()
}

test('without --yes it is only said what would be done', async () => {
  const { status, out } = await run('--to', to, '--amount', '1.5')
  expect(status).toBe(1)
  expect(out).toContain('Would send 1.500000000 TON on the local chain')
  expect(out).toContain(to)
  expect(out).toContain('Nothing was sent')
  expect(await owner.balance(chain)).toBe(0n)
  expect(existsSync(join(dir, 'worker', 'owner'))).toBe(false)
})

test('with --yes it is sent, and the owner is bound from then on', async () => {
  const { status, out } = await run('--to', to, '--amount', '1.5', '--yes', '--json')
  expect(status).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ sent: true, to, amount: '1500000000' })
  expect(await owner.balance(chain)).toBe((3n * TON) / 2n)
  expect(readFileSync(join(dir, 'worker', 'owner'), 'utf8').trim()).toBe(to)
  const other = Wallet.fromSeed(randomBytes(32), chain.globalId).address.toString({ bounceable: false })
  const refused = await run('--to', other, '--yes')
  expect([refused.status, refused.err]).toEqual([1, expect.stringContaining(`belongs to ${to}`)])
})

test('with --settle all that was promised is taken first', async () => {
  await promise(TON)
  const before = await owner.balance(chain)
  const { status, out, err } = await run('--settle', '--yes')
  expect([status, err]).toEqual([0, ''])
  const gain = (await owner.balance(chain)) - before
  // 3 - 1.5 TON were left, 1 came, 0.1 stays, and fees.
  expect(gain).toBeGreaterThan((237n * TON) / 100n)
  expect(gain).toBeLessThan((24n * TON) / 10n)
  expect(out).toContain('The owner’s account shows it.')
})

test('what another process does with the wallet is waited for', async () => {
  await chain.fund(wallet.address, 2n * TON)
  let sent = false
  const asked = withPurse(join(dir, 'worker', 'keys'), async () => {
    const asking = run('--amount', '1', '--yes')
    await wallet.send(chain, [])
    sent = true
    return { asking }
  })
  const { status } = await (await asked).asking
  expect([status, sent]).toEqual([0, true])
})

test.each([
  [
    'an address with a wrong digit',
    ['--to', `${to.slice(0, -1)}${to.endsWith('A') ? 'B' : 'A'}`],
    1,
    /checksum/,
  ],
  ['an address of testnet', ['--to', owner.address.toString({ testOnly: true })], 1, /another network/],
  ['an amount that is none', ['--amount', '1,5'], 1, /an amount of TON/],
  ['more than there is', ['--amount', '1000'], 1, /the wallet holds/],
  ['a folder without a wallet', ['--data', tmpdir()], 2, /--chain-url/],
])('refused, with nothing sent: %s', async (_, argv, wanted, message) => {
  const before = await owner.balance(chain)
  const { status, err, out } = await run('--yes', ...argv)
  expect([status, out]).toEqual([wanted, ''])
  expect(err).toMatch(message)
  expect(await owner.balance(chain)).toBe(before)
})
