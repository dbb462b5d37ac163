import { describe, expect, it } from 'vitest'
import { LOCAL_GLOBAL_ID } from '../../../contracts/index.ts'
import { TestBooks } from '../testing/books.ts'
import { setUp } from '../testing/setup.ts'
import type { Difference } from './differences.ts'

describe('a ledger in use', () => {
  it('is found right when a voucher was renewed between charges that could not be signed', async () => {
    const own = new TestBooks()
    let broken = false
    const busy = await setUp({
      signVoucher: (channel, ceiling) => {
        if (broken) throw new Error('no key for the moment')
        return own.signVoucher(channel, ceiling)
      },
    })
    const { ledger } = busy
    const { key } = await own.open(ledger)
    const charge = async (requestId: string, signed: boolean) => {
      broken = !signed
      const channel = own.delegated.id
      await ledger.reserve({ requestId, channel, key: key.id, worker: own.workerRef, maxCharge: 10n })
      const { clientCeiling } = await ledger.charge(own.charge(requestId, 10n, 0n))
      broken = false
      return clientCeiling
    }
    expect([await charge('a', true), await charge('b', false)]).toEqual([10n, 10n])
    await ledger.renewVoucher(own.delegated.id)
    expect([await charge('c', false), await charge('d', false), await charge('e', true)]).toEqual([
      20n,
      20n,
      50n,
    ])
    const found: Difference[] = []
    await ledger.verify({ globalId: LOCAL_GLOBAL_ID, onDifference: (difference) => found.push(difference) })
    expect(found.filter(({ about }) => !/^channel [CW]$/.test(about))).toEqual([])
    await busy.end()
  })

  it('is found right over many pages while it is charged, by a signer that fails now and then', async () => {
    const own = new TestBooks()
    let signatures = 0
    const busy = await setUp({
      signVoucher: (channel, ceiling) => {
        if (++signatures % 7 === 0) throw new Error('no key for the moment')
        return own.signVoucher(channel, ceiling)
      },
    })
    const { ledger } = busy
    const { key, account } = await own.open(ledger)
    await ledger.updateDeposit(own.delegated.id, 10n ** 9n)
    await ledger.updateDeposit(own.clientSigned.id, 10n ** 9n)
    let signed = 0n
    const client = async (name: number, requests: number) => {
      for (let i = 0; i < requests; i++) {
        const requestId = `${name}-${i}`
        const [channel, by] = name % 2 ? [own.delegated.id, key.id] : [own.clientSigned.id, account.id]
        if (name % 2 === 0) {
          signed += 10n
          await ledger.acceptVoucher(channel, signed, own.clientSigned.sign(signed))
        }
        await ledger.reserve({ requestId, channel, key: by, worker: own.workerRef, maxCharge: 10n })
        if (i % 5 === 4) await ledger.release(requestId, 'x')
        else await ledger.charge(own.charge(requestId, BigInt(i % 11), BigInt(i % 3)))
        if (i % 9 === 0) await ledger.renewVoucher(own.delegated.id)
        if (i % 13 === 0) await ledger.updateDeposit(own.worker.id, 60n + signed)
      }
    }
    const charging = Promise.all([0, 1, 2, 3].map((name) => client(name, 100)))
    // The bench's own channels have no parameters to read.
    const isOwn = ({ about }: Difference) => !/^channel [CW]$/.test(about)
    const look = async () => {
      const found: Difference[] = []
      const onDifference = (difference: Difference) => found.push(difference)
      const report = await ledger.verify({ globalId: LOCAL_GLOBAL_ID, onDifference })
      expect(found.filter(isOwn)).toEqual([])
      return report
    }
    let looks = 0
    const over = charging.then(() => true)
    while (!(await Promise.race([over, look().then(() => false)]))) looks += 1
    expect(looks).toBeGreaterThan(0)
    expect(await look()).toMatchObject({ requests: 400, entries: expect.any(Number) })
    await busy.end()
  })
})
