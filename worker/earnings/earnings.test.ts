import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toBase64 } from '../../attest/bytes.ts'
import { PRICES_2026_06 } from '../../contracts/chain/prices.ts'
import { channelData } from '../../contracts/channel/params.ts'
import {
  CHANNEL_CODE_HASH,
  type Chain,
  type ChannelParams,
  type ChannelState,
  channelAddress,
  channelCode,
  channelParamsToJson,
  generateKey,
  rawPublicKey,
  signVoucher,
} from '../../contracts/index.ts'
import type { KeptReceipt } from '../enclave/index.ts'
import { type LogFields, silentLog } from '../log.ts'
import type { PaymentTerms } from '../protocol/index.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { type Account, Earnings, type EarningsOptions } from './index.ts'

const GLOBAL_ID = -217
const GATEWAY = 'gateway.test'
const payee = { address: `0:${'22'.repeat(32)}`, key: new Uint8Array(rawPublicKey(generateKey())) }
const voucherKey = generateKey()
const params: ChannelParams = {
  payer: Address.parseRaw(`0:${'11'.repeat(32)}`),
  payee: Address.parseRaw(payee.address),
  voucherKey: rawPublicKey(voucherKey),
  payeeKey: payee.key,
  challengeSeconds: 7200,
  openUntil: 2_000_000_000,
  salt: Buffer.alloc(32, 5),
}

/** A chain that holds one channel in whatever state the test wishes. */
class OneChannel implements Chain {
  readonly globalId = GLOBAL_ID
  state: ChannelState | undefined = { deposited: 1_000_000n, settled: 0n, closeAt: 0 }
  /** Code of what is wrong with the network. */
  outage: string | undefined

  async now() {
    return 1_800_000_000
  }

  async account(address: Address) {
    if (this.outage) throw Object.assign(new Error('no'), { code: this.outage })
    const there = this.state && address.equals(channelAddress(params)) ? this.state : undefined
    if (!there) return { state: 'none' as const, balance: 0n, code: null, data: null, lastLt: 0n }
    const data = channelData(params, there)
    return { state: 'active' as const, balance: 10n ** 10n, code: channelCode(), data, lastLt: 1n }
  }

  async send() {
    throw new Error('nothing is sent')
  }

  async get(): Promise<never> {
    throw new Error('nothing is asked')
  }

  async prices() {
    return PRICES_2026_06
  }
}

function payment(change: Partial<PaymentTerms> = {}): PaymentTerms {
  return {
    channel: channelAddress(params).toRawString(),
    globalId: GLOBAL_ID,
    codeHash: CHANNEL_CODE_HASH,
    params: channelParamsToJson(params),
    ...change,
  }
}

function voucher(ceiling: bigint, key = voucherKey) {
  const channel = channelAddress(params)
  const signature = toBase64(signVoucher(key, { globalId: GLOBAL_ID, channel, ceiling }))
  return { type: 'voucher' as const, channel: channel.toRawString(), ceiling: String(ceiling), signature }
}

function kept(requestId: string, workerCharge: bigint, change: Partial<KeptReceipt> = {}): KeptReceipt {
  const receipt = { payload: Buffer.from(requestId).toString('base64url'), signature: 'A'.repeat(86) }
  const tokens = { promptTokens: 3, cachedTokens: 1, completionTokens: 2, reasoningTokens: 0 }
  return { requestId, receipt, final: true, workerCharge, model: 'm', tokens, ...change }
}

let chain: OneChannel
let clock: ManualClock
let opened: { close(): void }[]

beforeEach(() => {
  chain = new OneChannel()
  clock = new ManualClock()
  opened = []
})

afterEach(() => {
  for (const thing of opened.reverse()) thing.close()
})

function earnings(change: Partial<EarningsOptions> = {}): Earnings {
  const made = new Earnings({
    file: ':memory:',
    creditLimit: 1000n,
    chain,
    payee,
    unpaid: false,
    clock,
    log: silentLog,
    ...change,
  })
  opened.push(made)
  return made
}

async function account(from: Earnings = earnings(), terms = payment()): Promise<Account> {
  const made = await from.account(GATEWAY, terms)
  opened.push(made)
  return made
}

describe('a channel is checked before any work', () => {
  test.each<[string, string, () => PaymentTerms | null]>([
    ['none at all', 'ERR_UNPAID', () => null],
    ['another network', 'ERR_PAYMENT_TERMS', () => payment({ globalId: -239 })],
    ['other code', 'ERR_PAYMENT_TERMS', () => payment({ codeHash: '00'.repeat(32) })],
    [
      'an address that does not follow',
      'ERR_PAYMENT_TERMS',
      () => payment({ channel: `0:${'33'.repeat(32)}` }),
    ],
    [
      'another payee',
      'ERR_CHANNEL_REFUSED',
      () => other({ payee: Address.parseRaw(`0:${'44'.repeat(32)}`) }),
    ],
    ['another release key', 'ERR_CHANNEL_REFUSED', () => other({ payeeKey: params.voucherKey })],
    ['a short challenge', 'ERR_CHANNEL_REFUSED', () => other({ challengeSeconds: 60 })],
    ['a trap of a key', 'ERR_KEY_UNSAFE', () => other({ voucherKey: Buffer.alloc(32) })],
    ['no contract', 'ERR_CHANNEL_ABSENT', () => other({ salt: Buffer.alloc(32, 6) })],
    [
      'a closing one',
      'ERR_CHANNEL_CLOSING',
      () => {
        chain.state = { deposited: 5n, settled: 0n, closeAt: 1 }
        return payment()
      },
    ],
  ])('refused: %s', async (_name, code, terms) => {
    await expect(earnings().account(GATEWAY, terms())).rejects.toMatchObject({ code })
  })

  function other(change: Partial<ChannelParams>): PaymentTerms {
    const changed = { ...params, ...change }
    return payment({ channel: channelAddress(changed).toRawString(), params: channelParamsToJson(changed) })
  }

  test('unpaid work has to be asked for', async () => {
    const unpaid = await earnings({ unpaid: true }).account(GATEWAY, null)
    unpaid.keep(kept('request-1', 10_000n))
    expect(unpaid.creditworthy).toBe(true)
  })
})

describe('credit', () => {
  test('ends above the limit and comes back with a voucher', async () => {
    const owing = await account()
    owing.keep(kept('request-1', 1000n))
    expect([owing.owed, owing.creditworthy]).toEqual([1000n, true])
    owing.keep(kept('request-2', 1n))
    expect([owing.owed, owing.creditworthy]).toEqual([1001n, false])
    owing.acknowledge(['request-1', 'request-2'])
    expect(owing.creditworthy).toBe(false)
    owing.voucher(voucher(1001n))
    expect([owing.owed, owing.creditworthy]).toEqual([0n, true])
  })

  test('receipts of one request are cumulative, not added up', async () => {
    const owing = await account()
    owing.keep(kept('request-1', 10n, { final: false }))
    owing.keep(kept('request-1', 25n, { final: false }))
    owing.keep(kept('request-1', 30n))
    expect(owing.owed).toBe(30n)
  })

  test('work that stops and goes on is told once, with the reason', async () => {
    const told: unknown[] = []
    chain.state = { deposited: 2000n, settled: 0n, closeAt: 0 }
    const owing = await account(earnings({ onStanding: (standing) => told.push(standing) }))
    owing.keep(kept('request-1', 1001n))
    owing.keep(kept('request-2', 1n))
    owing.voucher(voucher(1002n))
    owing.keep(kept('request-3', 998n))
    expect(told).toEqual([
      { obstacle: undefined, owed: 0n },
      { obstacle: 'ERR_CREDIT_LIMIT', owed: 1001n },
      { obstacle: undefined, owed: 0n },
      { obstacle: 'ERR_DEPOSIT_SPENT', owed: 998n },
    ])
  })

  test('an early acknowledgement of a running request makes nothing count twice', async () => {
    const owing = await account()
    owing.keep(kept('request-1', 40n, { final: false }))
    owing.acknowledge(['request-1'])
    owing.keep(kept('request-1', 60n))
    expect(owing.owed).toBe(60n)
  })

  test('a voucher of another key or channel changes nothing; a lower one neither', async () => {
    const owing = await account()
    owing.keep(kept('request-1', 500n))
    expect(() => owing.voucher(voucher(500n, generateKey()))).toThrow(/not signed/)
    expect(() => owing.voucher({ ...voucher(500n), channel: `0:${'33'.repeat(32)}` })).toThrow(
      /another channel/,
    )
    expect(owing.owed).toBe(500n)
    owing.voucher(voucher(400n))
    owing.voucher(voucher(300n))
    expect(owing.owed).toBe(100n)
  })

  test('never beyond what the channel holds', async () => {
    chain.state = { deposited: 600n, settled: 0n, closeAt: 0 }
    const owing = await account()
    owing.keep(kept('request-1', 600n))
    expect(owing.creditworthy).toBe(false)
    chain.state = { deposited: 5000n, settled: 0n, closeAt: 0 }
    await recheck(owing, true)
  })

  test.each(['ERR_CHAIN_UNREACHABLE', 'ERR_CHAIN_DISAGREEMENT', 'ERR_CHAIN_STALE', 'ERR_CHAIN_RATE_LIMITED'])(
    'a channel that starts closing ends it; %s does not',
    async (outage) => {
      const owing = await account()
      chain.outage = outage
      clock.advance(60_000)
      await clock.timerWithin(60_000)
      expect(owing.creditworthy).toBe(true)
      chain.outage = undefined
      chain.state = { deposited: 1_000_000n, settled: 0n, closeAt: 5 }
      await recheck(owing, false)
    },
  )

  async function recheck(owing: Account, wanted: boolean): Promise<void> {
    clock.advance(60_000)
    await clock.timerWithin(60_000)
    expect(owing.creditworthy).toBe(wanted)
  }
})

describe('across links and restarts', () => {
  let folder: string
  let file: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earnings-'))
    file = join(folder, 'receipts.sqlite')
    opened.push({ close: () => void rm(folder, { recursive: true, force: true }) })
  })

  test('receipts wait for their own gateway until they are acknowledged', async () => {
    const first = await account(earnings({ file }))
    first.keep(kept('request-1', 10n, { final: false }))
    first.keep(kept('request-2', 20n))
    first.flush()
    const books = earnings({ file })
    expect((await books.account('another', payment())).held()).toEqual([
      { type: 'held', receipts: [], done: true },
    ])
    const again = await account(books)
    expect(again.held()).toMatchObject([
      {
        receipts: [
          { requestId: 'request-1', final: false },
          { requestId: 'request-2', final: true },
        ],
        done: true,
      },
    ])
    expect(again.owed).toBe(30n)
    again.acknowledge(['request-1', 'request-2', 'request-9'])
    expect(again.held()).toEqual([{ type: 'held', receipts: [], done: true }])
  })

  test('many receipts come in several messages, the last one done', async () => {
    const owing = await account(earnings({ file, creditLimit: 10_000n }))
    for (let i = 0; i < 600; i++) owing.keep(kept(`request-${i}`, 1n))
    const messages = owing.held()
    expect(messages.map(({ receipts, done }) => [receipts.length, done])).toEqual([
      [256, false],
      [256, false],
      [88, true],
    ])
  })

  test('what a cut link left unpaid is given up at its acknowledgement, within the limit', async () => {
    const first = await account(earnings({ file }))
    first.keep(kept('request-1', 600n))
    first.keep(kept('request-2', 100n))
    expect(first.owed).toBe(700n)
    first.flush()
    const again = await account(earnings({ file }))
    again.voucher(voucher(650n))
    again.acknowledge(['request-1', 'request-2'])
    expect(again.owed).toBe(0n)
    // 50 nanotons are given up; only 950 more may be, and 6 for the 650 that were paid.
    again.keep(kept('request-3', 990n))
    again.flush()
    const last = await account(earnings({ file }))
    last.acknowledge(['request-3'])
    expect(last.owed).toBe(34n)
  })

  test('a gateway that pays is forgiven crash after crash; one that cuts links gains a hundredth of what it pays', async () => {
    const files = earnings({ file })
    /** Work for `paid`, and then a cut that leaves `lost` unpaid. */
    const crash = async (n: number, paid: bigint, lost: bigint): Promise<Account> => {
      const before = await account(files)
      const sum = BigInt(before.held()[0]?.voucher?.ceiling ?? 0) + paid
      before.keep(kept(`paid-${n}`, paid))
      before.acknowledge([`paid-${n}`])
      before.voucher(voucher(sum))
      before.keep(kept(`cut-${n}`, lost, { receipt: undefined }))
      before.close()
      return await account(files)
    }
    // 50 crashes cost two and a half limits; each is no more than a hundredth of what was paid since the one before.
    for (let n = 0; n < 50; n++) {
      const honest = await crash(n, 5000n, 50n)
      expect([honest.owed, honest.creditworthy]).toEqual([0n, true])
    }
    // The limit itself is left for what costs more; after it nothing is given up that was not paid for a hundredfold.
    for (let n = 50; n < 60; n++) await crash(n, 100n, 100n)
    const last = await crash(60, 100n, 100n)
    expect(last.owed).toBe(11n * 100n - 1000n - 11n)
  })

  test('a whole answer on a whole link is never given up', async () => {
    const owing = await account(earnings({ file }))
    owing.keep(kept('request-1', 600n))
    owing.acknowledge(['request-1'])
    expect(owing.owed).toBe(600n)
  })

  test('of a cut request only what the gateway has passed on is claimed; of a whole one nothing before its time', async () => {
    const first = await account(earnings({ file }))
    first.keep(kept('cut', 200n, { final: false, receipt: undefined }))
    const proven = kept('cut', 300n, { final: false })
    first.keep(proven)
    first.keep(kept('unproven', 50n, { receipt: undefined }))
    first.close()
    const late = { payload: 'bGF0ZQ', signature: 'B'.repeat(86) }
    first.keep({ ...proven, receipt: late, final: true })
    first.keep(kept('unknown', 70n))
    first.flush()
    expect(first.owed).toBe(350n)
    const again = await account(earnings({ file }))
    expect(again.held()).toEqual([
      { type: 'held', receipts: [{ requestId: 'cut', receipt: late, final: false }], done: true },
    ])
    // Nothing of the other can be claimed, so it is given up at once.
    expect(again.owed).toBe(300n)
  })

  test('what was given up and is paid all the same counts again', async () => {
    const first = await account(earnings({ file }))
    first.keep(kept('request-1', 600n, { receipt: undefined }))
    first.flush()
    const again = await account(earnings({ file }))
    expect(again.owed).toBe(0n)
    again.voucher(voucher(600n))
    // Had the 600 not counted, the next 600 would be free of charge.
    again.keep(kept('request-2', 1001n))
    expect([again.owed, again.creditworthy]).toEqual([1001n, false])
  })

  test('a folder that was put back gives no credit for what was paid meanwhile', async () => {
    const old = join(folder, 'old.sqlite')
    const first = await account(earnings({ file: old }))
    first.keep(kept('request-1', 100n))
    first.voucher(voucher(100n))
    first.flush()
    const { type: _, channel: __, ...latest } = voucher(900_000n)
    const logged: string[] = []
    const log = { ...silentLog, warn: (fields: LogFields) => void logged.push(String(fields.code)) }
    const back = await account(earnings({ file: old, log }), payment({ voucher: latest }))
    expect(back.owed).toBe(0n)
    expect(logged).toEqual(['ERR_EARNINGS_BEHIND'])
    back.keep(kept('request-2', 1001n))
    expect(back.creditworthy).toBe(false)
  })

  test('nor for what the chain shows as settled above every known voucher', async () => {
    chain.state = { deposited: 1_000_000n, settled: 5000n, closeAt: 0 }
    const back = await account(earnings({ file }))
    back.keep(kept('request-1', 1001n))
    expect([back.owed, back.creditworthy]).toEqual([1001n, false])
    back.voucher(voucher(6001n))
    back.keep(kept('request-2', 1001n))
    expect([back.owed, back.creditworthy]).toEqual([1001n, false])
  })

  test('a gateway that names a lower voucher than it signed is shown the higher one, and only then', async () => {
    const first = await account(earnings({ file }))
    first.keep(kept('request-1', 900n))
    first.voucher(voucher(900n))
    first.flush()
    const shown = async (terms: PaymentTerms) => (await account(earnings({ file }), terms)).held()[0]?.voucher
    const { type: _, channel: __, ...proof } = voucher(900n)
    const { type: _t, channel: _c, ...lower } = voucher(400n)
    expect(await shown(payment({ voucher: lower }))).toEqual(proof)
    expect(await shown(payment())).toEqual(proof)
    expect(await shown(payment({ voucher: proof }))).toBeUndefined()
  })

  test('a channel serves one account, whoever looks: an old link counts nothing twice', async () => {
    const books = earnings({ file })
    const lost = await account(books)
    lost.keep(kept('request-1', 100n, { final: false }))
    const next = await account(books)
    next.keep(kept('request-2', 50n))
    lost.close()
    lost.keep(kept('request-1', 120n))
    expect([lost.owed, next.owed]).toEqual([150n, 150n])
  })

  test('a lost file starts at what the gateway has paid', async () => {
    const { type: _, channel: __, ...latest } = voucher(5000n)
    const fresh = await account(earnings(), payment({ voucher: latest }))
    expect(fresh.owed).toBe(0n)
    fresh.keep(kept('request-1', 1001n))
    expect(fresh.creditworthy).toBe(false)
  })
})
