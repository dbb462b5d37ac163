import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bench, chargeOf, reservation, setUp, voucherMessage } from './testing/setup.ts'
import type { ApiKey } from './types.ts'

let bench: Bench
let account: ApiKey
const payer = generateKeyPairSync('ed25519')
const D = { id: 'D', address: 'EQD', role: 'client', signer: 'client', params: '{"d":1}' } as const
const code = (name: string) => expect.objectContaining({ code: name })
const voucher = (ceiling: bigint) => sign(null, voucherMessage('D', ceiling), payer.privateKey)
const ask = (requestId: string, most: bigint) => reservation(requestId, account, most, { channel: 'D' })

beforeEach(async () => {
  bench = await setUp()
  await bench.ledger.putChannel({ ...D, deposited: 1000n })
  account = await bench.ledger.keys.accountOf('D')
})
afterEach(() => bench.end())

describe('a channel that its client signs', () => {
  it('is charged and reserved up to the voucher, and says which one would do', async () => {
    const { ledger, signed } = bench
    await expect(ledger.reserve(ask('a', 1n))).rejects.toEqual(
      expect.objectContaining({ code: 'ERR_STALE_CEILING', needed: 1n }),
    )
    await ledger.acceptVoucher('D', 100n, voucher(100n))
    await ledger.reserve(ask('a', 60n))
    await expect(ledger.reserve(ask('b', 41n))).rejects.toMatchObject({ needed: 101n })
    await ledger.reserve(ask('b', 40n))
    const { clientCeiling, clientVoucher } = await ledger.charge(chargeOf('a', 50n, 40n))
    expect(clientCeiling).toBe(100n)
    expect(verify(null, voucherMessage('D', 100n), payer.publicKey, clientVoucher ?? Buffer.of())).toBe(true)
    await expect(ledger.reserve(ask('c', 11n))).rejects.toMatchObject({ needed: 101n })
    await ledger.reserve(ask('c', 10n))
    expect(signed.map(({ channel }) => channel)).toEqual(['W'])
    await ledger.audit()
  })

  it('tells who cannot pay whatever comes back, and holds nothing for it', async () => {
    const { ledger } = bench
    const payable = (maxCharge: bigint) => ledger.demandPayable({ channel: 'D', key: account.id, maxCharge })
    await ledger.acceptVoucher('D', 100n, voucher(100n))
    await ledger.reserve(ask('a', 60n))
    payable(100n)
    expect(() => payable(101n)).toThrow(expect.objectContaining({ code: 'ERR_STALE_CEILING', needed: 161n }))
    expect(() => payable(1001n)).toThrow(code('ERR_INSUFFICIENT_FUNDS'))
    await ledger.charge(chargeOf('a', 50n, 40n))
    payable(50n)
    expect(() => payable(51n)).toThrow(code('ERR_STALE_CEILING'))
    expect(ledger.channelNow('D')?.reserved).toBe(0n)
    await ledger.freeze('D', 'test')
    expect(() => payable(1n)).toThrow(code('ERR_ROLLED_BACK'))
    await ledger.unfreeze('D')
    await ledger.setChannelState('D', 'closing')
    expect(() => payable(1n)).toThrow(code('ERR_CHANNEL_CLOSED'))
  })

  it('takes higher vouchers only, up to the deposit, each durable when it is taken', async () => {
    const { ledger } = bench
    const first = await ledger.acceptVoucher('D', 100n, voucher(100n))
    expect(first).toMatchObject({ ceiling: 100n, charged: 0n, signer: 'client' })
    for (const lower of [0n, 99n, 100n]) {
      expect(await ledger.acceptVoucher('D', lower, randomBytes(64))).toEqual(first)
    }
    await expect(ledger.acceptVoucher('D', 1001n, voucher(1001n))).rejects.toEqual(code('ERR_ABOVE_DEPOSIT'))
    await expect(ledger.acceptVoucher('D', -1n, voucher(1n))).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.acceptVoucher('D', 200n, randomBytes(63))).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.acceptVoucher('C', 1n, voucher(1n))).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.acceptVoucher('X', 1n, voucher(1n))).rejects.toEqual(code('ERR_UNKNOWN_CHANNEL'))
    // Whatever order they come in, the highest stays.
    await Promise.all([300n, 250n, 400n, 350n].map((c) => ledger.acceptVoucher('D', c, voucher(c))))
    await ledger.reserve(ask('all', 400n))
    await ledger.release('all', 'x')
    const again = await bench.reopen()
    expect(await again.channelState('D')).toMatchObject({
      ceiling: 400n,
      voucher: new Uint8Array(voucher(400n)),
    })
    expect((await again.channels()).find(({ id }) => id === 'D')).toEqual(await again.channelState('D'))
    await again.reserve(ask('a', 400n))
    await again.audit()
  })

  it('that lacks a deposit needs a top-up, not a voucher', async () => {
    const { ledger } = bench
    await ledger.acceptVoucher('D', 1000n, voucher(1000n))
    await expect(ledger.reserve(ask('a', 1001n))).rejects.toEqual(code('ERR_INSUFFICIENT_FUNDS'))
    await ledger.updateDeposit('D', 1500n)
    await expect(ledger.reserve(ask('a', 1001n))).rejects.toMatchObject({
      code: 'ERR_STALE_CEILING',
      needed: 1001n,
    })
  })

  it('has an account of its own that no secret finds, with limits like any key', async () => {
    const { ledger } = bench
    expect(account.id).toMatch(/^chan_[0-9a-f]{24}$/)
    expect(await ledger.keys.accountOf('D')).toEqual(account)
    expect(await ledger.keys.find(account.id)).toBeUndefined()
    expect((await ledger.keys.list()).map(({ id }) => id)).toEqual([bench.key.id])
    await expect(ledger.keys.accountOf('C')).rejects.toEqual(code('ERR_UNKNOWN_CHANNEL'))
    await expect(ledger.keys.create({ name: 'x', channel: 'D' })).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.keys.rotate(account.id, { graceMs: 0 })).rejects.toEqual(code('ERR_UNKNOWN_KEY'))
    await ledger.acceptVoucher('D', 1000n, voucher(1000n))
    await ledger.keys.setLimits(account.id, { perRequest: 5n })
    await expect(ledger.reserve(ask('a', 6n))).rejects.toEqual(code('ERR_KEY_REQUEST_LIMIT'))
    const again = await bench.reopen()
    expect(await again.keys.accountOf('D')).toMatchObject({ id: account.id, limits: { perRequest: 5n } })
    await again.keys.revoke(account.id)
    await expect(again.reserve(ask('a', 5n))).rejects.toEqual(code('ERR_KEY_REVOKED'))
  })

  it('keeps its account, and takes no keys of others, when keys move', async () => {
    const { ledger } = bench
    await expect(ledger.keys.move('C', 'D')).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await ledger.keys.move('D', 'C')
    expect(await ledger.keys.accountOf('D')).toMatchObject({ channel: 'D' })
    await expect(ledger.putChannel({ ...D, signer: 'gateway', deposited: 0n })).rejects.toEqual(
      code('ERR_CHANNEL_CONFLICT'),
    )
    const worker = { ...D, id: 'E', address: 'EQE', role: 'worker' } as const
    await expect(ledger.putChannel({ ...worker, deposited: 0n })).rejects.toEqual(code('ERR_LEDGER_INPUT'))
  })

  it('gives its receipts in pages, in the order of charging', async () => {
    const { ledger, key } = bench
    await ledger.acceptVoucher('D', 1000n, voucher(1000n))
    const ids = ['z', 'b', 'y', 'a']
    for (const id of ids) await ledger.reserve(ask(id, 10n))
    await ledger.reserve(reservation('other', key, 10n))
    for (const id of ['z', 'other', 'b', 'y', 'a']) await ledger.charge(chargeOf(id, 7n, 5n))
    const page = async (after?: string, limit = 1000) =>
      (await ledger.receipts('D', { ...(after && { after }), limit })).map(({ requestId }) => requestId)
    expect(await page()).toEqual(ids)
    expect(await page(undefined, 2)).toEqual(['z', 'b'])
    expect(await page('b', 1)).toEqual(['y'])
    expect(await page('a')).toEqual([])
    expect(await ledger.receipts('D', { after: 'y', limit: 5 })).toEqual([await ledger.receipt('a')])
    await expect(page('other')).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(page('a', 0)).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.receipts('X', { limit: 1 })).rejects.toEqual(code('ERR_UNKNOWN_CHANNEL'))
  })
})

describe('a frozen channel', () => {
  it('takes no reservation and signs no voucher until a person lets it go on', async () => {
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 100n))
    const freezing = ledger.freeze('C', 'the chain has settled 500')
    await expect(ledger.reserve(reservation('b', key, 1n))).rejects.toMatchObject({
      code: 'ERR_ROLLED_BACK',
      message: expect.stringContaining('the chain has settled 500'),
    })
    expect(await freezing).toMatchObject({ frozen: 'the chain has settled 500', state: 'open' })
    expect(await ledger.charge(chargeOf('a', 60n, 50n))).toMatchObject({
      clientCeiling: 0n,
      workerCeiling: 50n,
    })
    const again = await bench.reopen()
    await expect(again.reserve(reservation('b', key, 1n))).rejects.toEqual(code('ERR_ROLLED_BACK'))
    expect(await again.unfreeze('C')).toMatchObject({ frozen: null })
    expect(await again.renewVoucher('C')).toMatchObject({ ceiling: 60n })
    await again.reserve(reservation('b', key, 1n))
    await expect(again.freeze('X', 'r')).rejects.toEqual(code('ERR_UNKNOWN_CHANNEL'))
    await again.audit()
  })
})
