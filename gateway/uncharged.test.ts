import { describe, expect, it } from 'vitest'
import type { ApiError } from '../worker/protocol/index.ts'
import type { DispatchLedger } from './dispatch/index.ts'
import type { ChargeRequest, ReserveRequest } from './ledger/index.ts'
import { boundUncharged, Uncharged } from './uncharged.ts'

/** A ledger that takes everything, for accounts that may leave three things behind and one more each minute. */
function open() {
  const time = { now: 0 }
  const uncharged = new Uncharged({ burst: 3, perMinute: 1, now: () => time.now })
  const plain = {
    demandPayable: () => {},
    hold: async () => ({ durable: Promise.resolve() }),
    charge: async ({ clientCharge }: ChargeRequest) => ({ clientCharge }),
    release: async () => 'released',
  } as unknown as DispatchLedger
  const ledger = boundUncharged(plain, uncharged)
  let count = 0
  const hold = async (key = 'a') => {
    const requestId = `r${count++}`
    await ledger.hold({ requestId, key } as ReserveRequest)
    return requestId
  }
  const charge = (requestId: string, clientCharge: bigint, reason = 'status_200') =>
    ledger.charge({ requestId, clientCharge } as ChargeRequest, reason)
  return { time, uncharged, ledger, hold, charge }
}

const refused = expect.objectContaining({ status: 429, apiCode: 'uncharged_requests' })

describe('what an account leaves in the ledger without a charge', () => {
  it('is bounded, each account by itself, and comes back with time', async () => {
    const { time, ledger, hold, charge } = open()
    await charge(await hold(), 0n, 'status_400')
    await ledger.release(await hold(), 'aborted')
    await ledger.release(await hold(), 'not_sent')
    const error = await hold().catch((thrown: ApiError) => thrown)
    expect(error).toEqual(refused)
    expect((error as ApiError).headers).toEqual({ 'retry-after': '60' })
    // Nor does it wait for a worker first.
    const payable = (key: string) => ledger.demandPayable({ channel: 'c', key, maxCharge: 0n })
    expect(() => payable('a')).toThrow(refused)
    payable('b')
    await hold('b')
    time.now = 60_000
    await hold()
    await expect(hold()).rejects.toEqual(refused)
  })

  it('is made good by charges: every other request may come to nothing for ever', async () => {
    const { hold, charge, ledger } = open()
    for (let i = 0; i < 50; i++) {
      await charge(await hold(), 1n)
      await ledger.release(await hold(), 'aborted')
    }
    // As often as it is repeated, a charge counts once.
    const paid = await hold()
    for (let i = 0; i < 5; i++) await charge(paid, 1n)
    for (let i = 0; i < 3; i++) await charge(await hold(), 0n)
    await expect(hold()).rejects.toEqual(refused)
  })

  it('is not what workers or the gateway broke', async () => {
    const { hold, charge, ledger } = open()
    for (const reason of ['no_worker', 'worker_silent', 'deadline', 'draining', 'ERR_STREAM_TRUNCATED'])
      await ledger.release(await hold(), reason)
    // A worker's own error comes with a receipt over nothing, and so may one that was lost.
    for (const reason of ['status_500', 'status_503', 'worker_silent']) await charge(await hold(), 0n, reason)
    for (let i = 0; i < 3; i++) await hold()
    await expect(hold()).rejects.toEqual(refused)
  })
})
