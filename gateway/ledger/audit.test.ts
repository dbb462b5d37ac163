import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { audit } from './audit.ts'
import { LedgerError } from './errors.ts'
import { type Bench, chargeOf, reservation, setUp } from './testing/setup.ts'
import { type Tampering, tamper } from './testing/tamper.ts'

let bench: Bench

describe('audit', () => {
  let hand: Tampering
  beforeAll(async () => {
    bench = await setUp()
    for (const id of ['a', 'b', 'c']) await bench.ledger.reserve(reservation(id, bench.key, 100n))
    await bench.ledger.charge(chargeOf('a', 60n, 50n))
    await bench.ledger.release('b', 'x')
    await bench.ledger.audit()
    await bench.ledger.close()
    hand = await tamper(bench.place)
  })
  afterAll(async () => {
    await hand.close()
    await bench.end()
  })

  // Each takes away one thing that the audit watches, behind the ledger's back.
  const damages: Record<string, string> = {
    'a charged total': `update channels set charged = charged + 1 where id = 'C'`,
    'a reserved total': `update channels set reserved = reserved - 1 where id = 'C'`,
    'a deposit': `update channels set deposited = deposited + 1 where id = 'C'`,
    'a settled total': `update channels set settled = 1 where id = 'C'`,
    'a ceiling': `update channels set ceiling = ceiling - 1 where id = 'W'`,
    'a voucher': `delete from vouchers where channel = 'C'`,
    'an entry': `delete from entries where kind = 'earn'`,
    'an amount': `update entries set amount = 61 where kind = 'charge'`,
    'a lost charge': `delete from entries where kind = 'charge'; update channels set charged = 0, ceiling = 0
      where id = 'C'; delete from vouchers where channel = 'C'`,
    'a receipt': `delete from receipts`,
    'a charge of a request': `update requests set client_charge = 59 where request_id = 'a'`,
    'a state': `update requests set state = 'released' where request_id = 'a'`,
    'an open request': `update requests set state = 'released' where request_id = 'c'`,
    'a channel': `delete from channels where id = 'W'`,
    'one receipt for two': `update requests set state = 'charged', client_charge = 0, worker_charge = 0,
      worker_channel = 'W' where request_id = 'b';
      insert into entries (at, channel, kind, request, amount) values (0, 'C', 'charge', 2, 0), (0, 'W', 'earn', 2, 0);
      insert into receipts select 2, payload, signature, digest from receipts`,
  }
  it.each(Object.entries(damages))('finds a change of %s', async (_name, statements) => {
    await hand.begin()
    await hand.run(statements)
    await expect(audit(hand.database)).rejects.toMatchObject({ code: 'ERR_AUDIT' })
    await hand.rollback()
    await audit(hand.database)
  })
})

describe('the schema', () => {
  afterEach(() => bench.end())

  it('refuses by itself what the program must never write', async () => {
    bench = await setUp()
    await bench.ledger.reserve(reservation('a', bench.key, 100n))
    await bench.ledger.charge(chargeOf('a', 60n, 50n))
    const signed = { id: 'D', address: 'EQD', role: 'client', signer: 'client', params: '{}' } as const
    await bench.ledger.putChannel({ ...signed, deposited: 1000n })
    await bench.ledger.acceptVoucher('D', 100n, new Uint8Array(64))
    const account = await bench.ledger.keys.accountOf('D')
    await bench.ledger.reserve(reservation('d', account, 60n, { channel: 'D' }))
    await bench.ledger.charge(chargeOf('d', 60n, 0n))
    await bench.ledger.close()
    const hand = await tamper(bench.place)
    const forbidden = [
      `update channels set charged = 1001 where id = 'C'`,
      `update channels set reserved = 941 where id = 'C'`,
      `update channels set reserved = -1 where id = 'C'`,
      `update channels set ceiling = 61 where id = 'C'`,
      `update channels set settled = 1001 where id = 'W'`,
      `update channels set charged = 'many' where id = 'W'`,
      `update channels set accepted = 1 where id = 'C'`,
      `update channels set signer = 'client' where id in ('C', 'W')`,
      `update channels set signer = 'nobody' where id = 'C'`,
      `update channels set accepted = 1001 where id = 'D'`,
      `update channels set accepted = 59 where id = 'D'`,
      `update channels set reserved = 41 where id = 'D'`,
      `update channels set ceiling = 1 where id = 'D'`,
      `insert into retired_secrets values ('hash', 'key_none', 1)`,
      `update requests set client_charge = 101`,
      `insert into entries (at, channel, kind, request, amount) values (1, 'C', 'charge', 1, 1)`,
      `insert into vouchers values ('C', 1, x'00', 1)`,
    ]
    for (const statement of forbidden) await expect(hand.run(statement), statement).rejects.toThrow()
    await hand.close()
  })

  it('of a newer program is refused', async () => {
    bench = await setUp()
    await bench.ledger.close()
    const hand = await tamper(bench.place)
    await hand.run(`insert into kysely_migration values ('999-later', '2030-01-01T00:00:00.000Z')`)
    await hand.close()
    await expect(bench.reopen()).rejects.toMatchObject({ code: 'ERR_LEDGER_VERSION' })
  })
})

describe('any sequence of operations', () => {
  const step = fc.oneof(
    fc.record({ op: fc.constant('reserve' as const), id: fc.nat(30), amount: fc.bigInt(0n, 400n) }),
    fc.record({ op: fc.constant('charge' as const), id: fc.nat(30), amount: fc.bigInt(0n, 400n) }),
    fc.record({ op: fc.constant('release' as const), id: fc.nat(30), amount: fc.constant(0n) }),
    fc.record({ op: fc.constant('deposit' as const), id: fc.constant(0), amount: fc.bigInt(0n, 300n) }),
  )

  it('keeps every promise, asked one after another or all at once', async () => {
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.boolean(),
      async (steps, atOnce) => {
        bench = await setUp({ workerDeposit: 200n })
        const { key } = bench
        const run = async ({ op, id, amount }: (typeof steps)[number]) => {
          const { ledger } = bench
          const requestId = `r${id}`
          if (op === 'reserve') await ledger.reserve(reservation(requestId, key, amount))
          else if (op === 'charge') await ledger.charge(chargeOf(requestId, amount, amount / 2n))
          else if (op === 'release') await ledger.release(requestId, 'x')
          else await ledger.updateDeposit('W', ((await ledger.channelState('W'))?.deposited ?? 0n) + amount)
        }
        const attempt = (one: (typeof steps)[number]) =>
          run(one).catch((error: unknown) => {
            if (!(error instanceof LedgerError) || error.code === 'ERR_LEDGER_LOST') throw error
          })
        if (atOnce) await Promise.all(steps.map(attempt))
        else for (const one of steps) await attempt(one)
        const before = await bench.ledger.audit()
        const after = await (await bench.reopen()).audit()
        expect(after).toEqual(before)
        await bench.end()
      },
    )
    await fc.assert(property, { numRuns: 8 })
  })
})
