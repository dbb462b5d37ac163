import { describe, expect, it } from 'vitest'
import type { Prices, Quote } from '../../worker/protocol/quote.ts'
import { LedgerError } from '../ledger/index.ts'
import type { Lease, NamedQuote } from '../link/index.ts'
import { Reservation, type Reserved } from './reservation.ts'
import type { DispatchLedger } from './settle.ts'

const REQUEST = {
  requestId: 'r',
  key: { id: 'k', channel: 'c' },
  model: 'm',
  maxPromptTokens: 10,
  maxOutputTokens: 5,
  n: 2,
} as unknown as Reserved

/** Nanotons for one token, of any kind. */
function quoted(client: number, worker: number): NamedQuote {
  const prices = (price: number): Prices => {
    const each = String(price * 1_000_000)
    return { prompt: each, cached: each, completion: each, reasoning: each }
  }
  const quote = { client: prices(client), worker: prices(worker), step: '1' } as Quote
  return { quote, digest: '' }
}

function leaseOf(boot: string, quote = quoted(3, 2)): Lease {
  return {
    worker: { workerId: boot, bootId: boot, payment: { ledgerChannel: 'w' } },
    quote,
  } as unknown as Lease
}

/** A ledger whose disk the test decides on, and what it was asked. */
function stand() {
  const disk = Promise.withResolvers<void>()
  const asked: unknown[] = []
  const ledger = {
    hold: async ({ maxCharge, maxWorkerCharge }: Parameters<DispatchLedger['hold']>[0]) => {
      asked.push({ maxCharge, maxWorkerCharge })
      return { durable: disk.promise }
    },
    assign: async (requestId: string, worker: { bootId: string }) =>
      void asked.push([requestId, worker.bootId]),
    release: async (requestId: string, reason: string) => void asked.push([requestId, reason]),
  } as unknown as DispatchLedger
  const lost: string[] = []
  const hold = () => Reservation.hold(ledger, REQUEST, leaseOf('first'), () => void lost.push('lost'))
  return { disk, asked, lost, hold }
}

describe('a reservation', () => {
  it('holds back the most that all choices may cost, and is there before it is on disk', async () => {
    const { asked, hold } = stand()
    const { maxCharge, maxWorkerCharge } = await hold()
    // 10 tokens in, twice 5 out.
    expect({ maxCharge, maxWorkerCharge }).toEqual({ maxCharge: 60n, maxWorkerCharge: 40n })
    expect(asked).toEqual([{ maxCharge, maxWorkerCharge }])
  })

  it('covers another worker only if neither side can cost more', async () => {
    const reservation = await stand().hold()
    expect(reservation.covers(quoted(3, 2))).toBe(true)
    expect(reservation.covers(quoted(1, 1))).toBe(true)
    expect(reservation.covers(quoted(4, 1))).toBe(false)
    expect(reservation.covers(quoted(1, 3))).toBe(false)
  })

  it('moves to another worker, or goes, only once it is on disk', async () => {
    const { asked, disk, hold } = stand()
    const reservation = await hold()
    const moved = reservation.moveTo(leaseOf('second'))
    const released = reservation.release()
    expect(asked).toHaveLength(1)
    disk.resolve()
    await Promise.all([moved, released])
    expect(asked.slice(1)).toEqual([
      ['r', 'second'],
      ['r', 'not_sent'],
    ])
  })

  it('that could not be written says so at once, and to whoever waits for it', async () => {
    const { asked, disk, lost, hold } = stand()
    const reservation = await hold()
    const waiting = reservation.moveTo(leaseOf('second'))
    disk.reject(new LedgerError('ERR_INSUFFICIENT_FUNDS', 'no'))
    await expect(waiting).rejects.toMatchObject({ status: 402 })
    await expect(reservation.written()).rejects.toMatchObject({ status: 402 })
    expect(lost).toEqual(['lost'])
    expect(asked).toHaveLength(1)
  })
})
