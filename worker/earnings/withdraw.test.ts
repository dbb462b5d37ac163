import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toBase64 } from '../../attest/bytes.ts'
import {
  type Chain,
  ContractsError,
  channelParamsToJson,
  generateKey,
  readChannelState,
  signVoucher,
  Wallet,
} from '../../contracts/index.ts'
import { MemoryChain, TestChannel } from '../../contracts/testing.ts'
import { bindOwner, parseOwner, readOwner, written } from './owner.ts'
import type { ChannelAccount } from './store.ts'
import { dustOf, FEE, planWithdrawal, settleAll, withdraw } from './withdraw.ts'

const TON = 1_000_000_000n
const MAINNET = -239
const TESTNET = -3
const LOCAL = -217
const someone = new Address(0, Buffer.alloc(32, 7))
const form = (address: Address, testOnly = false, bounceable = false) =>
  address.toString({ testOnly, bounceable })
const code = (name: string) => expect.objectContaining({ code: name })

let dir: string
let chain: MemoryChain
let wallet: Wallet
let owner: Wallet
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'withdraw-'))
  chain = await MemoryChain.create()
  wallet = await chain.wallet(3n * TON)
  owner = Wallet.fromSeed(randomBytes(32), chain.globalId)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('an address to send money to', () => {
  test.each([
    ['mainnet', form(someone), MAINNET],
    ['mainnet, the bounceable form', form(someone, false, true), MAINNET],
    ['testnet', form(someone, true), TESTNET],
    ['the local chain', form(someone), LOCAL],
    ['mainnet, not URL-safe', someone.toString({ bounceable: false, urlSafe: false }), MAINNET],
  ])('of %s is taken', (_, text, globalId) => {
    expect(parseOwner(text, globalId).equals(someone)).toBe(true)
  })

  test.each([
    ['of testnet, on mainnet', form(someone, true), MAINNET, /another network than mainnet.*UQ or EQ/],
    ['of mainnet, on testnet', form(someone), TESTNET, /another network than testnet.*0Q or kQ/],
    ['of testnet, on the local chain', form(someone, true), LOCAL, /another network/],
    ['without a checksum', someone.toRawString(), MAINNET, /raw form/],
    ['of the masterchain', form(new Address(-1, Buffer.alloc(32, 7))), MAINNET, /basechain/],
    ['of nobody', form(new Address(0, Buffer.alloc(32))), MAINNET, /belongs to nobody/],
    ['of another chain', '0x52908400098527886E0F7030069857D2E4169EE7', MAINNET, /not an address of TON/],
    ['that is empty', '', MAINNET, /not an address of TON/],
  ])('%s is refused', (_, text, globalId, message) => {
    expect(() => parseOwner(text, globalId)).toThrow(code('ERR_WITHDRAW_ADDRESS'))
    expect(() => parseOwner(text, globalId)).toThrow(message)
  })

  test('property: no address with one wrong character is taken', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const flips = fc.tuple(fc.nat({ max: 47 }), fc.constantFrom(...alphabet))
    fc.assert(
      fc.property(flips, ([at, character]) => {
        const text = form(someone)
        if (text[at] === character) return true
        const wrong = text.slice(0, at) + character + text.slice(at + 1)
        try {
          parseOwner(wrong, MAINNET)
          return false
        } catch (error) {
          return (error as { code?: string }).code === 'ERR_WITHDRAW_ADDRESS'
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the owner', () => {
  const file = () => join(dir, 'owner')

  test('is bound once, by the first address, in a file for this user alone', async () => {
    await expect(readOwner(file(), undefined, LOCAL)).rejects.toThrow(/--to: name the address/)
    const asked = await readOwner(file(), form(someone), LOCAL)
    await bindOwner(file(), asked, LOCAL)
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect((await readOwner(file(), undefined, LOCAL)).equals(someone)).toBe(true)
    expect((await readOwner(file(), form(someone, false, true), LOCAL)).equals(someone)).toBe(true)
    await bindOwner(file(), someone, LOCAL)
    const other = form(owner.address)
    await expect(readOwner(file(), other, LOCAL)).rejects.toEqual(code('ERR_WITHDRAW_OWNER'))
    await expect(bindOwner(file(), owner.address, LOCAL)).rejects.toEqual(code('ERR_WITHDRAW_OWNER'))
    expect(readFileSync(file(), 'utf8')).toBe(`${written(someone, LOCAL)}\n`)
  })

  test('of a file that somebody has damaged is nobody', async () => {
    writeFileSync(file(), `${form(someone).slice(0, -1)}A\n`)
    await expect(readOwner(file(), undefined, LOCAL)).rejects.toEqual(code('ERR_WITHDRAW_OWNER'))
  })
})

describe('a withdrawal', () => {
  test('of all leaves what is kept, and reaches a wallet that does not exist yet', async () => {
    const plan = await planWithdrawal(chain, wallet, { to: owner.address, keep: TON / 10n })
    expect(plan.amount).toBe(3n * TON - FEE - TON / 10n)
    const seen = await withdraw(chain, wallet, plan)
    expect(seen.balance).toBe(plan.amount)
    expect(await owner.balance(chain)).toBe(plan.amount)
    expect(await wallet.balance(chain)).toBeGreaterThanOrEqual(TON / 10n)
  })

  test('of an amount, and again to a wallet that is there', async () => {
    for (const amount of [TON, TON / 2n]) {
      await withdraw(
        chain,
        wallet,
        await planWithdrawal(chain, wallet, { to: owner.address, amount, keep: 0n }),
      )
      // So that it is deployed before the second.
      await owner.send(chain, [])
    }
    expect(await owner.balance(chain)).toBeGreaterThan((3n * TON) / 2n - FEE)
  })

  test.each([
    ['more than there is', 3n * TON],
    ['what there is, without the fees', 3n * TON - FEE + 1n],
    ['nothing', 0n],
  ])('of %s is refused, with the numbers', async (_, amount) => {
    const plan = planWithdrawal(chain, wallet, { to: owner.address, amount, keep: 0n })
    await expect(plan).rejects.toEqual(code('ERR_WITHDRAW_FUNDS'))
    await expect(plan).rejects.toThrow(/holds 3\.000000000 TON/)
  })

  test('of all when there is no more than what is kept', async () => {
    const plan = planWithdrawal(chain, wallet, { to: owner.address, keep: 3n * TON })
    await expect(plan).rejects.toThrow(/3\.000000000 are kept/)
  })

  test('of all says so where more is promised, and is not worth its fees', async () => {
    const plan = planWithdrawal(chain, wallet, { to: owner.address, keep: 3n * TON, dust: 1000n })
    await expect(plan).rejects.toThrow(/; 0\.000001000 more are promised, but to settle that costs more/)
  })

  test('to itself is refused', async () => {
    const plan = planWithdrawal(chain, wallet, { to: wallet.address, amount: TON, keep: 0n })
    await expect(plan).rejects.toEqual(code('ERR_WITHDRAW_ADDRESS'))
  })

  test('that a contract sends back is not called done', async () => {
    const channel = await TestChannel.create(chain)
    await channel.payer.send(chain, [channel.channel.deploy(TON)])
    const to = channel.channel.address
    await expect(withdraw(chain, wallet, { to, amount: TON })).rejects.toEqual(
      code('ERR_WITHDRAW_UNCONFIRMED'),
    )
    expect(await wallet.balance(chain)).toBeGreaterThan(3n * TON - FEE)
  })

  test('is believed when the account shows it, not before: a chain that lags, one that loses it', async () => {
    const { instant: _, ...slow } = chainLike()
    let looks = 0
    const before = await chain.account(owner.address)
    const lagging: Chain = {
      ...slow,
      account: async (address) =>
        address.equals(owner.address) && looks++ < 5 ? before : await chain.account(address),
    }
    const pause = async () => {}
    await withdraw(lagging, wallet, { to: owner.address, amount: TON }, { pause })
    expect(looks).toBe(6)
    const never: Chain = {
      ...slow,
      account: async (address) => (address.equals(owner.address) ? before : chain.account(address)),
    }
    await expect(withdraw(never, wallet, { to: owner.address, amount: TON }, { pause })).rejects.toEqual(
      code('ERR_WITHDRAW_UNCONFIRMED'),
    )
  })

  test('that the chain refuses sends nothing', async () => {
    const send: Chain['send'] = () => Promise.reject(new ContractsError('ERR_CHAIN_REJECTED', 'no'))
    await expect(
      withdraw({ ...chainLike(), send }, wallet, { to: owner.address, amount: TON }),
    ).rejects.toEqual(code('ERR_CHAIN_REJECTED'))
    expect(await owner.balance(chain)).toBe(0n)
  })
})

describe('settling first', () => {
  test('takes what is promised, but dust, other payees and what is gone', async () => {
    const channels = []
    for (const deposit of [TON, TON, TON]) {
      const made = new TestChannel(chain, await chain.wallet(), wallet, ...keys())
      await made.payer.send(chain, [made.channel.deploy(deposit)])
      channels.push(made)
    }
    const theirs = await TestChannel.create(chain)
    await theirs.payer.send(chain, [theirs.channel.deploy(TON)])
    const [full, dust, settled] = channels as [TestChannel, TestChannel, TestChannel]
    const gone = new TestChannel(chain, full.payer, wallet, ...keys())
    await wallet.send(chain, [settled.channel.settle(TON / 2n, TON / 2n, settled.voucher(TON / 2n))])
    const accounts = [
      accountOf(full, 2n * TON),
      accountOf(dust, 1000n),
      accountOf(settled, TON / 2n),
      accountOf(theirs, TON),
      accountOf(gone, TON),
    ]
    const brought = await settleAll(chain, wallet, accounts)
    expect(await settledOn(full)).toBe(TON)
    expect([await settledOn(dust), await settledOn(theirs)]).toEqual([0n, 0n])
    expect(brought.get(full.channel.address.toRawString())).toBe(TON)
    expect(await dustOf(chain, wallet, [...accounts, accountOf(theirs, 1000n)])).toBe(1000n)
  })

  test('says what kept a claim from being settled', async () => {
    const made = new TestChannel(chain, await chain.wallet(), wallet, ...keys())
    await made.payer.send(chain, [made.channel.deploy(TON)])
    const forged = { ...accountOf(made, TON), signature: toBase64(new Uint8Array(64)) }
    await expect(settleAll(chain, wallet, [forged])).rejects.toEqual(code('ERR_CHANNEL_BAD_SIGNATURE'))
  })
})

const keys = () => [generateKey(), generateKey()] as const
const settledOn = async ({ params }: TestChannel) => (await readChannelState(params, chain))?.settled

/** What the worker's file says of a channel whose gateway has vouched for `ceiling`. */
function accountOf({ channel: { address }, params, ...of }: TestChannel, ceiling: bigint): ChannelAccount {
  const signature = signVoucher(of.voucherKey, { globalId: chain.globalId, channel: address, ceiling })
  return {
    ...{
      address: address.toRawString(),
      earned: ceiling,
      ceiling,
      signature: toBase64(signature),
      forgiven: 0n,
    },
    ...{ gateway: 'g', params: JSON.stringify(channelParamsToJson(params)), deposited: TON, settled: 0n },
    ...{ state: 'open', unsettledSince: 1 },
  }
}

/** The chain as an object of its own, to replace parts of. */
function chainLike(): Chain {
  return {
    ...{ globalId: chain.globalId, instant: true },
    now: () => chain.now(),
    account: (address) => chain.account(address),
    get: (address, method, args) => chain.get(address, method, args),
    prices: () => chain.prices(),
    send: (boc) => chain.send(boc),
  }
}
