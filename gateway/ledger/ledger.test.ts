import { verify } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import {
  type Bench,
  chargeOf,
  publicKey,
  reservation,
  setUp,
  voucherMessage,
  worker,
} from './testing/setup.ts'
import { everythingStored } from './testing/tamper.ts'

let bench: Bench
afterEach(() => bench.end())

const code = (name: string) => expect.objectContaining({ code: name })

describe('reservations', () => {
  it('hold funds, so that many requests in flight never pass the deposit', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => ledger.reserve(reservation(`r${i}`, key, 30n))),
    )
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(33)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toEqual(code('ERR_INSUFFICIENT_FUNDS'))
    }
    await expect(ledger.reserve(reservation('over', key, 11n))).rejects.toEqual(
      code('ERR_INSUFFICIENT_FUNDS'),
    )
    await ledger.reserve(reservation('fits', key, 10n))
    expect(await ledger.channelState('C')).toMatchObject({ deposited: 1000n, reserved: 1000n, charged: 0n })
    await ledger.audit()
  })

  it('give back what was not charged', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 1000n))
    await ledger.charge(chargeOf('a', 400n, 300n))
    await expect(ledger.reserve(reservation('b', key, 601n))).rejects.toEqual(code('ERR_INSUFFICIENT_FUNDS'))
    await ledger.reserve(reservation('b', key, 600n))
    expect(await ledger.release('b', 'worker_lost')).toBe('released')
    expect(await ledger.release('b', 'worker_lost')).toBe('released')
    expect(await ledger.release('a', 'late')).toBe('charged')
    await expect(ledger.release('never', 'x')).rejects.toEqual(code('ERR_NO_RESERVATION'))
    await ledger.reserve(reservation('c', key, 600n))
    expect(await ledger.channelState('C')).toMatchObject({ charged: 400n, reserved: 600n })
  })

  it('take each request id once, for ever', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    const twice = await Promise.allSettled([1, 2].map(() => ledger.reserve(reservation('a', key, 10n))))
    expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await ledger.charge(chargeOf('a', 5n, 5n))
    await ledger.reserve(reservation('b', key, 10n))
    await ledger.release('b', 'x')
    for (const used of ['a', 'b']) {
      await expect(ledger.reserve(reservation(used, key, 10n))).rejects.toEqual(code('ERR_DUPLICATE_REQUEST'))
    }
    expect(await ledger.channelState('C')).toMatchObject({ charged: 5n, reserved: 0n })
    await ledger.reserve(reservation('all', key, 995n))
  })

  it('are listed after a restart and can then be charged, moved or released', async () => {
    bench = await setUp()
    await bench.ledger.reserve(reservation('a', bench.key, 10n))
    await bench.ledger.reserve(reservation('b', bench.key, 20n, { maxWorkerCharge: 15n }))
    await bench.ledger.assign('b', { id: 'worker-2', bootId: 'boot-2' })
    const ledger = await bench.reopen()
    const open = { channel: 'C', key: bench.key.id, createdAt: bench.clock.now }
    expect(ledger.openReservations().sort((x, y) => (x.requestId < y.requestId ? -1 : 1))).toEqual([
      { requestId: 'a', worker, maxCharge: 10n, maxWorkerCharge: 10n, ...open },
      {
        requestId: 'b',
        worker: { id: 'worker-2', bootId: 'boot-2' },
        maxCharge: 20n,
        maxWorkerCharge: 15n,
        ...open,
      },
    ])
    await ledger.charge(chargeOf('a', 10n, 10n))
    await ledger.release('b', 'boot_gone')
    await expect(ledger.assign('b', worker)).rejects.toEqual(code('ERR_NO_RESERVATION'))
    expect(ledger.openReservations()).toEqual([])
    expect(await ledger.audit()).toMatchObject({
      requests: { open: 0, charged: 1, released: 1 },
      reserved: 0n,
    })
  })

  it('are refused on a closing channel, while running requests are still charged', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 10n))
    const closing = ledger.setChannelState('C', 'closing')
    await expect(ledger.reserve(reservation('b', key, 1n))).rejects.toEqual(code('ERR_CHANNEL_CLOSED'))
    await closing
    await ledger.charge(chargeOf('a', 10n, 10n))
    const again = await bench.reopen()
    await expect(again.reserve(reservation('b', key, 1n))).rejects.toEqual(code('ERR_CHANNEL_CLOSED'))
    expect(await again.channelState('C')).toMatchObject({ state: 'closing', charged: 10n })
  })

  it('refuse input that is not an amount or an id', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    const bad = [
      reservation('', key, 1n),
      reservation('nul\0', key, 1n),
      reservation('a', key, -1n),
      reservation('a', key, 2n ** 63n),
      reservation('a', key, 1 as unknown as bigint),
    ]
    for (const request of bad) await expect(ledger.reserve(request)).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.reserve(reservation('a', key, 1n, { channel: 'X' }))).rejects.toEqual(
      code('ERR_UNKNOWN_CHANNEL'),
    )
    await expect(ledger.reserve(reservation('a', key, 1n, { channel: 'W' }))).rejects.toEqual(
      code('ERR_UNKNOWN_CHANNEL'),
    )
    await ledger.audit()
  })
})

describe('charges', () => {
  it('never pass what was reserved, for client and worker', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 100n, { maxWorkerCharge: 80n }))
    await expect(ledger.charge(chargeOf('a', 101n, 0n))).rejects.toEqual(code('ERR_OVERCHARGE'))
    await expect(ledger.charge(chargeOf('a', 100n, 81n))).rejects.toEqual(code('ERR_OVERCHARGE'))
    await expect(ledger.charge(chargeOf('a', -1n, 0n))).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    expect(await ledger.channelState('C')).toMatchObject({ charged: 0n, reserved: 100n })
    await ledger.charge(chargeOf('a', 100n, 80n))
    expect(await ledger.channelState('W')).toMatchObject({ charged: 80n, ceiling: 80n })
  })

  it('need a reservation, and a channel of a worker', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await expect(ledger.charge(chargeOf('a', 1n, 1n))).rejects.toEqual(code('ERR_NO_RESERVATION'))
    await ledger.reserve(reservation('a', key, 10n))
    for (const workerChannel of ['C', 'nowhere']) {
      await expect(ledger.charge({ ...chargeOf('a', 1n, 1n), workerChannel })).rejects.toEqual(
        code('ERR_UNKNOWN_CHANNEL'),
      )
    }
    await ledger.release('a', 'x')
    await expect(ledger.charge(chargeOf('a', 1n, 1n))).rejects.toEqual(code('ERR_NO_RESERVATION'))
  })

  it('happen once, whatever is asked again, then or after a restart', async () => {
    bench = await setUp()
    await bench.ledger.reserve(reservation('a', bench.key, 100n))
    const [first, second] = await Promise.all([
      bench.ledger.charge(chargeOf('a', 60n, 50n)),
      bench.ledger.charge(chargeOf('a', 60n, 50n)),
    ])
    await bench.ledger.reserve(reservation('b', bench.key, 100n))
    await bench.ledger.charge(chargeOf('b', 10n, 10n))
    const later = await bench.ledger.charge(chargeOf('a', 99n, 99n))
    const ledger = await bench.reopen()
    const reopened = await ledger.charge(chargeOf('a', 60n, 50n))
    expect(first).toMatchObject({
      clientCharge: 60n,
      workerCharge: 50n,
      clientCeiling: 60n,
      workerCeiling: 50n,
    })
    for (const again of [second, later, reopened]) {
      expect({ ...again, clientVoucher: null, workerVoucher: null }).toEqual({
        ...first,
        clientVoucher: null,
        workerVoucher: null,
      })
      expect(Buffer.from(again?.clientVoucher ?? []).equals(first?.clientVoucher ?? new Uint8Array())).toBe(
        true,
      )
      expect(Buffer.from(again?.workerVoucher ?? []).equals(first?.workerVoucher ?? new Uint8Array())).toBe(
        true,
      )
    }
    expect(await ledger.audit()).toMatchObject({ clientCharged: 70n, workerCharged: 60n })
  })

  it('raise both vouchers to the new totals, in the same commit', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    for (const [id, client, earned] of [
      ['a', 100n, 70n],
      ['b', 50n, 30n],
    ] as const) {
      await ledger.reserve(reservation(id, key, client))
      await ledger.charge(chargeOf(id, client, earned))
    }
    const [c, w] = [await ledger.channelState('C'), await ledger.channelState('W')]
    expect(c).toMatchObject({ ceiling: 150n })
    expect(w).toMatchObject({ ceiling: 100n })
    for (const channel of [c, w]) {
      if (!channel?.voucher) throw new Error('no voucher')
      expect(verify(null, voucherMessage(channel.id, channel.ceiling), publicKey, channel.voucher)).toBe(true)
    }
  })

  it('of one tick share one signature a channel, with the highest ceiling', async () => {
    bench = await setUp()
    const { ledger, key, signed } = bench
    const ids = Array.from({ length: 20 }, (_, i) => `r${i}`)
    await Promise.all(ids.map((id) => ledger.reserve(reservation(id, key, 10n))))
    const results = await Promise.all(ids.map((id) => ledger.charge(chargeOf(id, 7n, 5n))))
    for (const result of results) expect(result).toMatchObject({ clientCeiling: 140n, workerCeiling: 100n })
    expect(signed).toEqual([
      { channel: 'C', ceiling: 140n },
      { channel: 'W', ceiling: 100n },
    ])
  })

  it('of nothing sign nothing', async () => {
    bench = await setUp()
    const { ledger, key, signed } = bench
    await ledger.reserve(reservation('a', key, 10n))
    const result = await ledger.charge(chargeOf('a', 0n, 0n))
    expect(result).toMatchObject({
      clientVoucher: null,
      workerVoucher: null,
      clientCeiling: 0n,
      workerOwed: 0n,
    })
    expect(signed).toEqual([])
    expect(await ledger.receipt('a')).toMatchObject({ charged: 0n })
  })

  it('stand even when the worker’s channel lacks room; the rest is signed when it is topped up', async () => {
    bench = await setUp({ workerDeposit: 30n })
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 100n))
    expect(await ledger.charge(chargeOf('a', 100n, 80n))).toMatchObject({
      workerCeiling: 30n,
      workerOwed: 50n,
    })
    expect(await ledger.updateDeposit('W', 60n)).toMatchObject({ ceiling: 60n, charged: 80n })
    expect(await ledger.updateDeposit('W', 500n)).toMatchObject({ ceiling: 80n, charged: 80n })
    await ledger.audit()
  })

  it('stand when a voucher cannot be signed; it is signed later', async () => {
    let broken = true
    bench = await setUp({
      signVoucher: (channel, ceiling) => {
        if (broken) throw new Error('no key')
        return new Uint8Array(64).fill(Number(ceiling % 256n), 0, channel.length)
      },
    })
    const { ledger, key, warnings } = bench
    await ledger.reserve(reservation('a', key, 100n))
    expect(await ledger.charge(chargeOf('a', 100n, 80n))).toMatchObject({
      clientCeiling: 0n,
      clientVoucher: null,
    })
    expect(warnings).toHaveLength(2)
    broken = false
    expect(await ledger.renewVoucher('C')).toMatchObject({ ceiling: 100n })
    await ledger.audit()
  })

  it('keep the receipt for who paid', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 100n))
    await ledger.charge({ ...chargeOf('a', 40n, 30n), workerId: 'worker-9' })
    expect(await ledger.receipt('a')).toEqual({
      requestId: 'a',
      channel: 'C',
      key: key.id,
      receipt: { payload: 'payload-of-a', signature: 'signature' },
      digest: chargeOf('a', 0n, 0n).receiptDigest,
      signingKey: 'worker-9',
      charged: 40n,
      earned: 30n,
      chargedAt: bench.clock.now,
    })
    expect(await ledger.receipt('b')).toBeUndefined()
  })
})

describe('channels', () => {
  it('are added once, with the same parameters', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await ledger.reserve(reservation('a', key, 100n))
    const same = { id: 'C', address: 'EQC', role: 'client', params: '{"c":1}', deposited: 0n } as const
    expect(await ledger.putChannel(same)).toMatchObject({ deposited: 1000n, reserved: 100n })
    await expect(ledger.putChannel({ ...same, params: '{}' })).rejects.toEqual(code('ERR_CHANNEL_CONFLICT'))
    await expect(ledger.putChannel({ ...same, id: 'D' })).rejects.toEqual(code('ERR_CHANNEL_CONFLICT'))
    await ledger.release('a', 'x')
    await ledger.audit()
  })

  it('only gain deposits and settlements, as far as the deposit', async () => {
    bench = await setUp()
    const { ledger, key } = bench
    await expect(ledger.updateDeposit('C', 999n)).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await ledger.updateDeposit('C', 1500n)
    await ledger.reserve(reservation('a', key, 1500n))
    expect(await ledger.updateSettled('C', 20n)).toMatchObject({ settled: 20n })
    await expect(ledger.updateSettled('C', 19n)).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.updateSettled('C', 1501n)).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    await expect(ledger.updateDeposit('X', 1n)).rejects.toEqual(code('ERR_UNKNOWN_CHANNEL'))
    expect(await ledger.channels()).toHaveLength(2)
    await ledger.audit()
  })
})

describe('the file', () => {
  it('belongs to one opener, and to this user', async () => {
    bench = await setUp()
    const options = { ...bench.place, now: Date.now, signVoucher: () => new Uint8Array(64) }
    await expect(Ledger.open(options)).rejects.toEqual(code('ERR_LEDGER_LOCKED'))
    const { file } = bench.place
    if (process.platform === 'win32' || file === undefined) return
    for (const name of readdirSync(dirname(file))) {
      expect(statSync(join(dirname(file), name)).mode & 0o077).toBe(0)
    }
  })

  it('holds no secret of an API key', async () => {
    bench = await setUp()
    await bench.ledger.reserve(reservation('a', bench.key, 100n))
    await bench.ledger.charge(chargeOf('a', 100n, 80n))
    await bench.ledger.keys.find(bench.secret)
    const beforeClose = await everythingStored(bench.place)
    await bench.ledger.close()
    for (const bytes of [...beforeClose, ...(await everythingStored(bench.place))]) {
      expect(bytes.includes(bench.secret)).toBe(false)
      expect(bytes.includes(bench.secret.slice(8))).toBe(false)
      expect(bytes.includes(Buffer.from(bench.secret.slice(8), 'base64url'))).toBe(false)
      expect(bytes.includes(Buffer.from(bench.secret.slice(8), 'base64url').toString('hex'))).toBe(false)
    }
    // The search would find it: what is meant to be there is found.
    const after = await everythingStored(bench.place)
    expect(after.some((bytes) => bytes.includes('payload-of-a'))).toBe(true)
  })
})
