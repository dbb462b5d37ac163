import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { onPostgres } from './testing/place.ts'
import { type Bench, chargeOf, reservation, setUp } from './testing/setup.ts'
import type { ApiKey } from './types.ts'

/** What the ledger should come to, kept in the plainest way. Nanotons. */
class Model {
  readonly channels = {
    C: { deposited: 1000n, ceiling: 0n, charged: 0n, clientSigned: false },
    D: { deposited: 1000n, ceiling: 0n, charged: 0n, clientSigned: true },
  }
  readonly worker = { deposited: 200n, earned: 0n }
  readonly requests = new Map<
    string,
    { channel: 'C' | 'D'; held: bigint; state: 'open' | 'charged' | 'released' }
  >()

  reserved(name: 'C' | 'D'): bigint {
    const open = [...this.requests.values()].filter(
      ({ channel, state }) => channel === name && state === 'open',
    )
    return open.reduce((sum, { held }) => sum + held, 0n)
  }
}

interface Real {
  bench: Bench
  accounts: Record<'C' | 'D', ApiKey>
}

/** `ok`, or the code of the refusal. */
async function outcome(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  )
}

async function holdsEveryRule({ bench: { ledger } }: Real, model: Model): Promise<void> {
  for (const name of ['C', 'D'] as const) {
    const record = await ledger.channelState(name)
    const { deposited, charged, ceiling, clientSigned } = model.channels[name]
    expect(record).toMatchObject({ deposited, charged, reserved: model.reserved(name) })
    expect(record?.ceiling).toBe(clientSigned ? ceiling : charged)
    const bound = clientSigned && ceiling < deposited ? ceiling : deposited
    expect(charged + model.reserved(name)).toBeLessThanOrEqual(bound)
  }
  const { deposited, earned } = model.worker
  const covered = earned <= deposited
  const record = await ledger.channelState('W')
  expect(record).toMatchObject({ charged: earned, ceiling: covered ? earned : deposited })
}

abstract class Step implements fc.AsyncCommand<Model, Real> {
  abstract expected(model: Model): string
  abstract work(real: Real): Promise<unknown>
  abstract apply(model: Model): void

  check(): boolean {
    return true
  }

  async run(model: Model, real: Real): Promise<void> {
    const expected = this.expected(model)
    expect(await outcome(this.work(real)), String(this)).toBe(expected)
    if (expected === 'ok') this.apply(model)
    await holdsEveryRule(real, model)
  }

  toString(): string {
    return `${this.constructor.name}(${Object.values(this).map(String).join(', ')})`
  }
}

class Reserve extends Step {
  readonly id: string
  readonly channel: 'C' | 'D'
  readonly amount: bigint

  constructor(id: string, channel: 'C' | 'D', amount: bigint) {
    super()
    this.id = id
    this.channel = channel
    this.amount = amount
  }

  expected(model: Model): string {
    const { deposited, charged, ceiling, clientSigned } = model.channels[this.channel]
    const needed = charged + model.reserved(this.channel) + this.amount
    // Ids that ended in this process are known to the file only, which is asked last.
    if (model.requests.get(this.id)?.state === 'open') return 'ERR_DUPLICATE_REQUEST'
    if (needed > deposited) return 'ERR_INSUFFICIENT_FUNDS'
    if (clientSigned && needed > ceiling) return 'ERR_STALE_CEILING'
    return model.requests.has(this.id) ? 'ERR_DUPLICATE_REQUEST' : 'ok'
  }

  work({ bench, accounts }: Real): Promise<void> {
    const { id, channel, amount } = this
    return bench.ledger.reserve(reservation(id, accounts[channel], amount, { channel }))
  }

  apply(model: Model): void {
    model.requests.set(this.id, { channel: this.channel, held: this.amount, state: 'open' })
  }
}

class Charge extends Step {
  readonly id: string
  readonly amount: bigint

  constructor(id: string, amount: bigint) {
    super()
    this.id = id
    this.amount = amount
  }

  expected(model: Model): string {
    const request = model.requests.get(this.id)
    if (request?.state === 'charged') return 'ok'
    if (request?.state !== 'open') return 'ERR_NO_RESERVATION'
    return this.amount > request.held ? 'ERR_OVERCHARGE' : 'ok'
  }

  work({ bench }: Real): Promise<unknown> {
    return bench.ledger.charge(chargeOf(this.id, this.amount, this.amount / 2n))
  }

  apply(model: Model): void {
    const request = model.requests.get(this.id)
    if (request?.state !== 'open') return
    request.state = 'charged'
    model.channels[request.channel].charged += this.amount
    model.worker.earned += this.amount / 2n
  }
}

class Release extends Step {
  readonly id: string

  constructor(id: string) {
    super()
    this.id = id
  }

  expected(model: Model): string {
    return model.requests.has(this.id) ? 'ok' : 'ERR_NO_RESERVATION'
  }

  work({ bench }: Real): Promise<unknown> {
    return bench.ledger.release(this.id, 'x')
  }

  apply(model: Model): void {
    const request = model.requests.get(this.id)
    if (request?.state === 'open') request.state = 'released'
  }
}

class Accept extends Step {
  readonly ceiling: bigint

  constructor(ceiling: bigint) {
    super()
    this.ceiling = ceiling
  }

  expected(model: Model): string {
    return this.ceiling > model.channels.D.deposited ? 'ERR_ABOVE_DEPOSIT' : 'ok'
  }

  work({ bench }: Real): Promise<unknown> {
    return bench.ledger.acceptVoucher('D', this.ceiling, new Uint8Array(64).fill(1))
  }

  apply(model: Model): void {
    if (this.ceiling > model.channels.D.ceiling) model.channels.D.ceiling = this.ceiling
  }
}

class Deposit extends Step {
  readonly channel: 'C' | 'D' | 'W'
  readonly total: bigint

  constructor(channel: 'C' | 'D' | 'W', total: bigint) {
    super()
    this.channel = channel
    this.total = total
  }

  #of(model: Model): { deposited: bigint } {
    return this.channel === 'W' ? model.worker : model.channels[this.channel]
  }

  expected(model: Model): string {
    return this.total < this.#of(model).deposited ? 'ERR_LEDGER_INPUT' : 'ok'
  }

  work({ bench }: Real): Promise<unknown> {
    return bench.ledger.updateDeposit(this.channel, this.total)
  }

  apply(model: Model): void {
    this.#of(model).deposited = this.total
  }
}

class Restart extends Step {
  expected(): string {
    return 'ok'
  }

  work({ bench }: Real): Promise<unknown> {
    return bench.reopen()
  }

  apply(): void {}
}

const id = fc.nat(12).map((n) => `r${n}`)
const amount = fc.bigInt(0n, 500n)
const commands = fc.commands(
  [
    fc.tuple(id, fc.constantFrom('C', 'D'), amount).map(([i, c, a]) => new Reserve(i, c, a)),
    fc.tuple(id, amount).map(([i, a]) => new Charge(i, a)),
    id.map((i) => new Release(i)),
    fc.bigInt(0n, 1600n).map((ceiling) => new Accept(ceiling)),
    fc
      .tuple(fc.constantFrom('C', 'D', 'W'), fc.bigInt(100n, 1500n))
      .map(([c, total]) => new Deposit(c, total)),
    fc.constant(new Restart()),
  ],
  { size: '+1' },
)

describe('the ledger', () => {
  it('does as a plain model says: reserve, charge, release, accept, deposit and restart in any order', async () => {
    const property = fc.asyncProperty(commands, async (steps) => {
      const bench = await setUp({ workerDeposit: 200n })
      try {
        const D = { id: 'D', address: 'EQD', role: 'client', signer: 'client', params: '{}' } as const
        await bench.ledger.putChannel({ ...D, deposited: 1000n })
        const real = { bench, accounts: { C: bench.key, D: await bench.ledger.keys.accountOf('D') } }
        await fc.asyncModelRun(() => ({ model: new Model(), real }), steps)
        await bench.ledger.audit()
      } finally {
        await bench.end()
      }
    })
    await fc.assert(property, { numRuns: onPostgres() ? 2 : 6 })
  }, 120_000)
})
