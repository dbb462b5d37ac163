import { Address } from '@ton/core'
import { afterEach, expect, test } from 'vitest'
import { toBase64 } from '../../attest/bytes.ts'
import { PRICES_2026_06 } from '../../contracts/chain/prices.ts'
import { channelData } from '../../contracts/channel/params.ts'
import {
  CHANNEL_CODE_HASH,
  type Chain,
  type ChannelParams,
  channelAddress,
  channelCode,
  channelParamsToJson,
  generateKey,
  rawPublicKey,
  signVoucher,
} from '../../contracts/index.ts'
import { silentLog } from '../log.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { type Account, Earnings } from './index.ts'

const GLOBAL_ID = -217
const LIMIT = 1000n
const payee = { address: `0:${'22'.repeat(32)}`, key: new Uint8Array(rawPublicKey(generateKey())) }
const voucherKey = generateKey()

/** A channel of one gateway; whoever wants another one chooses another salt. */
const channelOf = (salt: number): ChannelParams => ({
  payer: Address.parseRaw(`0:${'11'.repeat(32)}`),
  payee: Address.parseRaw(payee.address),
  voucherKey: rawPublicKey(voucherKey),
  payeeKey: payee.key,
  challengeSeconds: 7200,
  openUntil: 2_000_000_000,
  salt: Buffer.alloc(32, salt),
})

/** A chain on which every channel that is opened here is funded. */
class OpenChannels implements Chain {
  readonly globalId = GLOBAL_ID
  readonly #data = new Map<string, ReturnType<typeof channelData>>()

  open(params: ChannelParams): void {
    const state = { deposited: 1_000_000n, settled: 0n, closeAt: 0 }
    this.#data.set(channelAddress(params).toRawString(), channelData(params, state))
  }

  async now() {
    return 1_800_000_000
  }

  async account(address: Address) {
    const data = this.#data.get(address.toRawString())
    if (!data) return { state: 'none' as const, balance: 0n, code: null, data: null, lastLt: 0n }
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

const chain = new OpenChannels()
const opened: { close(): void }[] = []
afterEach(() => {
  for (const thing of opened.splice(0).reverse()) thing.close()
})

function worker(): Earnings {
  const clock = new ManualClock()
  const made = new Earnings({
    file: ':memory:',
    ...{ creditLimit: LIMIT, chain, payee, unpaid: false, clock, log: silentLog },
  })
  opened.push(made)
  return made
}

/** The worker joins a gateway of this name, which pays by the channel of this salt. */
async function join(earnings: Earnings, gateway: string, salt: number): Promise<Account> {
  const params = channelOf(salt)
  chain.open(params)
  const account = await earnings.account(gateway, {
    channel: channelAddress(params).toRawString(),
    globalId: GLOBAL_ID,
    codeHash: CHANNEL_CODE_HASH,
    params: channelParamsToJson(params),
  })
  opened.push(account)
  return account
}

function work(account: Account, requestId: string, workerCharge: bigint): void {
  const receipt = { payload: Buffer.from(requestId).toString('base64url'), signature: 'A'.repeat(86) }
  const tokens = { promptTokens: 3, cachedTokens: 0, completionTokens: 2, reasoningTokens: 0 }
  account.keep({ requestId, receipt, final: true, workerCharge, model: 'm', tokens })
}

test('a gateway that never pays and comes back with a new channel gets no new credit for it', async () => {
  const earnings = worker()
  const first = await join(earnings, 'gateway-1', 1)
  work(first, 'a', LIMIT + 1n)
  expect(first.standing).toEqual({ obstacle: 'ERR_CREDIT_LIMIT', owed: LIMIT + 1n })
  first.close()
  const second = await join(earnings, 'gateway-1', 2)
  expect(second.standing).toEqual({ obstacle: 'ERR_CREDIT_LIMIT', owed: LIMIT + 1n })
})

test('nor under a new name, which costs it nothing', async () => {
  const earnings = worker()
  const first = await join(earnings, 'gateway-1', 1)
  work(first, 'a', 700n)
  first.close()
  const second = await join(earnings, 'gateway-2', 2)
  expect(second.creditworthy).toBe(true)
  work(second, 'b', 301n)
  expect(second.standing).toEqual({ obstacle: 'ERR_CREDIT_LIMIT', owed: 1001n })
})

test('what cut links cost is given up once, not once for each new channel; paying for another changes nothing of that', async () => {
  const earnings = worker()
  /** Cuts its link in the middle of so much work, of which nothing can be claimed, and comes back. */
  const cut = async (salt: number, lost: bigint, paid = 0n): Promise<Account> => {
    const account = await join(earnings, `gateway-${salt}`, salt)
    if (paid > 0n) account.voucher(voucher(salt, paid))
    const receipt = { requestId: `cut-${salt}-${lost}`, receipt: undefined, final: false, model: 'm' }
    const tokens = { promptTokens: 3, cachedTokens: 0, completionTokens: 2, reasoningTokens: 0 }
    account.keep({ ...receipt, workerCharge: paid + lost, tokens })
    account.close()
    return await join(earnings, `gateway-${salt}`, salt)
  }
  expect((await cut(1, LIMIT)).owed).toBe(0n)
  expect((await cut(2, 300n)).owed).toBe(300n)
  // A hundredth of 50,000 is 500, which is good on its own channel only.
  expect((await cut(3, 450n, 50_000n)).owed).toBe(300n)
  expect((await cut(4, 50n)).owed).toBe(350n)
})

test('what is paid on the new channel, or late on the old one, makes room again', async () => {
  const earnings = worker()
  const first = await join(earnings, 'gateway-1', 1)
  work(first, 'a', 700n)
  const second = await join(earnings, 'gateway-1', 2)
  work(second, 'b', 301n)
  expect(second.creditworthy).toBe(false)
  second.voucher(voucher(2, 301n))
  expect(second.standing).toEqual({ obstacle: undefined, owed: 700n })
  work(second, 'c', 301n)
  expect(second.creditworthy).toBe(false)
  first.voucher(voucher(1, 700n))
  expect(second.standing).toEqual({ obstacle: undefined, owed: 301n })
})

test('a voucher for more than was earned on one channel pays nothing of another’s debt', async () => {
  const earnings = worker()
  const first = await join(earnings, 'gateway-1', 1)
  work(first, 'a', LIMIT + 1n)
  const second = await join(earnings, 'gateway-1', 2)
  // It covers what is to come on its own channel, and nothing says that it was meant for more.
  second.voucher(voucher(2, 5000n))
  expect(second.standing).toEqual({ obstacle: 'ERR_CREDIT_LIMIT', owed: LIMIT + 1n })
})

function voucher(salt: number, ceiling: bigint) {
  const channel = channelAddress(channelOf(salt))
  const signature = toBase64(signVoucher(voucherKey, { globalId: GLOBAL_ID, channel, ceiling }))
  return { channel: channel.toRawString(), ceiling: String(ceiling), signature }
}
