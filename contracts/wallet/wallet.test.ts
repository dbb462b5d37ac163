import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, internal } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { MemoryChain } from '../testing.ts'
import { Wallet } from './wallet.ts'

const TON = 1_000_000_000n
const to = new Address(0, Buffer.alloc(32, 9))
const message = (value: bigint) => internal({ to, value, bounce: false })

describe('wallet', () => {
  let dir: string
  let chain: MemoryChain

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'chrysalis-wallet-'))
    chain = await MemoryChain.create()
  })

  afterAll(() => rm(dir, { recursive: true, force: true }))

  it('makes its key once, in a file of mode 0600, and finds it again', async () => {
    const file = join(dir, 'key')
    const first = await Wallet.open(file, -217)
    const second = await Wallet.open(file, -217)
    expect(second.address.toRawString()).toBe(first.address.toRawString())
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await readFile(file, 'utf8')).trim()).toMatch(/^[0-9a-f]{64}$/)
    const together = await Promise.all([1, 2, 3].map(() => Wallet.open(join(dir, 'raced'), -217)))
    expect(new Set(together.map((wallet) => wallet.address.toRawString())).size).toBe(1)
  })

  it('does not replace a damaged key file', async () => {
    const file = join(dir, 'damaged')
    await writeFile(file, 'not a key\n')
    await chmod(file, 0o600)
    await expect(Wallet.open(file, -217)).rejects.toMatchObject({ code: 'ERR_WALLET_FILE' })
    expect(await readFile(file, 'utf8')).toBe('not a key\n')
  })

  it.skipIf(process.platform === 'win32')('takes no key that others can read', async () => {
    const file = join(dir, 'shared')
    await Wallet.open(file, -217)
    await chmod(file, 0o640)
    await expect(Wallet.open(file, -217)).rejects.toMatchObject({
      code: 'ERR_WALLET_FILE',
      message: expect.stringContaining(file),
    })
  })

  it('sends one after another, also when asked all at once', async () => {
    const wallet = await chain.wallet(10n * TON)
    await Promise.all([1n, 2n, 3n].map((tons) => wallet.send(chain, [message(tons * TON)])))
    expect(await wallet.seqno(chain)).toBe(3)
    expect((await chain.get(wallet.address, 'seqno')).readNumber()).toBe(3)
    expect((await chain.account(to)).balance).toBe(6n * TON)
  })

  it('looks at its funds before it signs', async () => {
    const wallet = await chain.wallet(TON)
    await expect(wallet.send(chain, [message(TON)])).rejects.toMatchObject({ code: 'ERR_WALLET_FUNDS' })
    expect(await wallet.seqno(chain)).toBe(0)
  })

  it('belongs to one network: its messages are refused elsewhere', async () => {
    const wallet = await chain.wallet()
    const other = await MemoryChain.create({ globalId: -218 })
    await expect(wallet.send(other, [message(1n)])).rejects.toMatchObject({ code: 'ERR_WALLET_NETWORK' })
    // The wallet id is part of the address: the same key has another address on every network.
    const address = (globalId: number) => Wallet.fromSeed(Buffer.alloc(32, 1), globalId).address.toRawString()
    expect(address(-217)).not.toBe(address(-239))
  })

  it('hands the same message in again while the network does not answer, and pays once', async () => {
    const wallet = await chain.wallet(10n * TON)
    const before = (await chain.account(to)).balance
    let failures = 2
    const flaky: Chain = {
      globalId: chain.globalId,
      now: () => chain.now(),
      account: (address) => chain.account(address),
      get: (address, method, args) => chain.get(address, method, args),
      prices: () => chain.prices(),
      send: async (boc) => {
        if (failures-- > 0) throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'down')
        await chain.send(boc)
      },
    }
    let pauses = 0
    await wallet.send(flaky, [message(TON)], { pause: async () => void pauses++ })
    expect(pauses).toBe(2)
    expect((await chain.account(to)).balance - before).toBe(TON)
  })

  it('gives up once the message can no longer be taken', async () => {
    const wallet = await chain.wallet(10n * TON)
    const down: Chain = {
      globalId: chain.globalId,
      now: () => chain.now(),
      account: (address) => chain.account(address),
      get: (address, method, args) => chain.get(address, method, args),
      prices: () => chain.prices(),
      send: async () => {
        throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'down')
      },
    }
    const pause = async () => {
      chain.time += 61
    }
    await expect(wallet.send(down, [message(TON)], { pause })).rejects.toMatchObject({
      code: 'ERR_WALLET_EXPIRED',
    })
  })
})
