import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyLookups, newKeySecret } from './keys.ts'
import { type Bench, chargeOf, NOON, reservation, setUp } from './testing/setup.ts'
import type { ApiKey } from './types.ts'

let bench: Bench
beforeEach(async () => {
  bench = await setUp()
})
afterEach(() => bench.end())

const code = (name: string) => expect.objectContaining({ code: name })

describe('API keys', () => {
  it('are found by their secret, from the file and from the cache', async () => {
    expect(bench.secret).toMatch(/^sk-chry-[A-Za-z0-9_-]{43}$/)
    const ledger = await bench.reopen()
    expect(await ledger.keys.find(bench.secret)).toEqual(bench.key)
    expect(await ledger.keys.find(bench.secret)).toEqual(bench.key)
    for (const wrong of ['', 'sk-chry-', newKeySecret(), `${bench.secret}x`, bench.secret.toLowerCase()]) {
      expect(await ledger.keys.find(wrong)).toBeUndefined()
    }
  })

  it('are refused at once and for good when revoked, also those in use', async () => {
    const { ledger, key, secret } = bench
    await ledger.keys.find(secret)
    await ledger.reserve(reservation('a', key, 10n))
    const revoking = ledger.keys.revoke(key.id)
    expect(await ledger.keys.find(secret)).toBeUndefined()
    await expect(ledger.reserve(reservation('b', key, 10n))).rejects.toEqual(code('ERR_KEY_REVOKED'))
    expect(await revoking).toMatchObject({ revokedAt: NOON })
    await ledger.charge(chargeOf('a', 10n, 10n))
    const again = await bench.reopen()
    expect(await again.keys.find(secret)).toBeUndefined()
    await expect(again.reserve(reservation('b', key, 10n))).rejects.toEqual(code('ERR_KEY_REVOKED'))
    await expect(again.keys.revoke('key_none')).rejects.toEqual(code('ERR_UNKNOWN_KEY'))
    expect(await again.keys.list()).toEqual([{ ...key, revokedAt: NOON }])
  })

  it('do not come back from look-ups that were under way when they were revoked', async () => {
    const ledger = await bench.reopen()
    const found = ledger.keys.find(bench.secret)
    const revoked = ledger.keys.revoke(bench.key.id)
    expect(await found).toBeUndefined()
    await revoked
    expect(await ledger.keys.find(bench.secret)).toBeUndefined()
  })

  it('with a kept secret are made once', async () => {
    const { ledger } = bench
    const secret = newKeySecret()
    const first = await ledger.keys.create({ name: 'quickstart', channel: 'C', secret })
    const again = await ledger.keys.create({ name: 'quickstart', channel: 'C', secret })
    expect(again.key).toEqual(first.key)
    await expect(ledger.keys.create({ name: 'x', channel: 'W' })).rejects.toEqual(code('ERR_UNKNOWN_CHANNEL'))
    await expect(ledger.keys.create({ name: 'x', channel: 'C', secret: 'guess' })).rejects.toEqual(
      code('ERR_LEDGER_INPUT'),
    )
  })

  it('keep to their limit per request, their models and their expiry', async () => {
    const key = await bench.keyWith({ perRequest: 50n, models: ['m1'], expiresAt: NOON + 1000 })
    const { ledger, clock } = bench
    const ask = (id: string, most: bigint, model?: string) =>
      ledger.reserve(reservation(id, key, most, { model }))
    await expect(ask('a', 51n, 'm1')).rejects.toEqual(code('ERR_KEY_REQUEST_LIMIT'))
    await expect(ask('a', 50n, 'm2')).rejects.toEqual(code('ERR_KEY_MODEL'))
    await expect(ask('a', 50n)).rejects.toEqual(code('ERR_KEY_MODEL'))
    await ask('a', 50n, 'm1')
    clock.now = NOON + 1000
    await expect(ask('b', 50n, 'm1')).rejects.toEqual(code('ERR_KEY_EXPIRED'))
    const again = await bench.reopen()
    expect(await again.keys.list()).toContainEqual(key)
  })

  it('keep to their limit per day over charges, releases, restarts and midnight', async () => {
    const key = await bench.keyWith({ perDay: 100n })
    const payable = (maxCharge: bigint) =>
      bench.ledger.demandPayable({ channel: 'C', key: key.id, maxCharge })
    const { ledger, clock } = bench
    await ledger.reserve(reservation('a', key, 60n))
    await expect(ledger.reserve(reservation('b', key, 41n))).rejects.toEqual(code('ERR_KEY_DAY_LIMIT'))
    payable(100n)
    await ledger.charge(chargeOf('a', 20n, 20n))
    payable(80n)
    expect(() => payable(81n)).toThrow(code('ERR_KEY_DAY_LIMIT'))
    await ledger.reserve(reservation('b', key, 80n))
    await ledger.release('b', 'x')
    await ledger.reserve(reservation('c', key, 30n))
    const again = await bench.reopen()
    await expect(again.reserve(reservation('d', key, 51n))).rejects.toEqual(code('ERR_KEY_DAY_LIMIT'))
    await again.reserve(reservation('d', key, 50n))
    clock.now = NOON + 86_400_000
    await again.reserve(reservation('e', key, 100n))
    // A request of yesterday that ends today gives today's limit nothing back, nor does a clock that is set back.
    await again.release('c', 'x')
    clock.now = NOON
    await expect(again.reserve(reservation('f', key, 1n))).rejects.toEqual(code('ERR_KEY_DAY_LIMIT'))
  })

  it('get a new secret, and the old one works until its grace is over, then never', async () => {
    const { key, secret: old, clock, ledger } = bench
    await ledger.keys.setLimits(key.id, { perDay: 100n })
    await ledger.reserve(reservation('a', key, 60n))
    expect(await ledger.keys.find(old)).toMatchObject({ id: key.id })
    const { key: same, secret } = await ledger.keys.rotate(key.id, { graceMs: 1000 })
    expect(same).toEqual({ ...key, limits: { perDay: 100n } })
    expect(secret).not.toBe(old)
    for (const works of [old, secret]) expect(await ledger.keys.find(works)).toEqual(same)
    // What is spent today is the key's, whatever its secret.
    await expect(ledger.reserve(reservation('b', key, 41n))).rejects.toEqual(code('ERR_KEY_DAY_LIMIT'))
    const again = await bench.reopen()
    clock.now += 999
    for (const works of [old, secret]) expect(await again.keys.find(works)).toEqual(same)
    clock.now += 1
    expect(await again.keys.find(old)).toBeUndefined()
    clock.now = NOON
    expect(await again.keys.find(old)).toBeUndefined()
    expect(await again.keys.find(secret)).toEqual(same)
  })

  it('without grace lose the old secret at once; each one that was replaced has its own time', async () => {
    const { key, secret: first, clock, ledger } = bench
    const { secret: second } = await ledger.keys.rotate(key.id, { graceMs: 5000 })
    const { secret: third } = await ledger.keys.rotate(key.id, { graceMs: 0 })
    expect(await ledger.keys.find(second)).toBeUndefined()
    for (const works of [first, third]) expect(await ledger.keys.find(works)).toMatchObject({ id: key.id })
    clock.now += 5000
    expect(await ledger.keys.find(first)).toBeUndefined()
    await ledger.keys.revoke(key.id)
    expect(await ledger.keys.find(third)).toBeUndefined()
    await expect(ledger.keys.rotate(key.id, { graceMs: 0 })).rejects.toEqual(code('ERR_KEY_REVOKED'))
    await expect(ledger.keys.rotate('key_none', { graceMs: 0 })).rejects.toEqual(code('ERR_UNKNOWN_KEY'))
    for (const graceMs of [-1, 0.5, 31 * 86_400_000]) {
      await expect(ledger.keys.rotate(key.id, { graceMs })).rejects.toEqual(code('ERR_LEDGER_INPUT'))
    }
  })

  it('that lost their secret do not come back when it is kept in a file, as the quickstart keeps its own', async () => {
    const { key, secret: old, clock } = bench
    await bench.ledger.keys.rotate(key.id, { graceMs: 1000 })
    clock.now += 1000
    const ledger = await bench.reopen()
    expect(await ledger.keys.create({ name: 'quickstart', channel: 'C', secret: old })).toMatchObject({
      key: { id: key.id },
    })
    expect(await ledger.keys.find(old)).toBeUndefined()
    expect(await ledger.keys.list()).toHaveLength(1)
    await expect(ledger.keys.rotate(key.id, { graceMs: 0, secret: old })).rejects.toEqual(
      code('ERR_LEDGER_INPUT'),
    )
  })

  it('that are revoked are found by no secret, also not by one whose grace still runs', async () => {
    const { key, secret: old, ledger } = bench
    await ledger.keys.rotate(key.id, { graceMs: 5000 })
    await ledger.keys.revoke(key.id)
    expect(await ledger.keys.find(old)).toBeUndefined()
    expect(await (await bench.reopen()).keys.find(old)).toBeUndefined()
  })

  it('keep to new limits from the call on', async () => {
    const { key, ledger } = bench
    await ledger.reserve(reservation('a', key, 90n))
    const limits = { perRequest: 50n, models: ['m1'], expiresAt: NOON + 1 }
    expect(await ledger.keys.setLimits(key.id, limits)).toEqual({ ...key, limits })
    await expect(ledger.reserve(reservation('b', key, 1n))).rejects.toEqual(code('ERR_KEY_MODEL'))
    await expect(ledger.reserve(reservation('b', key, 51n, { model: 'm1' }))).rejects.toEqual(
      code('ERR_KEY_REQUEST_LIMIT'),
    )
    expect(await ledger.keys.setLimits(key.id, {})).toEqual(key)
    await ledger.reserve(reservation('b', key, 90n))
    await expect(ledger.keys.setLimits('key_none', {})).rejects.toEqual(code('ERR_UNKNOWN_KEY'))
    await expect(ledger.keys.setLimits(key.id, { perDay: -1n })).rejects.toEqual(code('ERR_LEDGER_INPUT'))
  })

  it('draw on their own channel only', async () => {
    const { ledger, key } = bench
    await ledger.putChannel({ id: 'C2', address: 'EQC2', role: 'client', params: '{}', deposited: 1000n })
    await expect(ledger.reserve(reservation('a', key, 1n, { channel: 'C2' }))).rejects.toEqual(
      code('ERR_UNKNOWN_CHANNEL'),
    )
  })
})

describe('guesses', () => {
  it('of a secret that becomes a key later do not shut it out', async () => {
    const { ledger, key } = bench
    const secret = newKeySecret()
    expect(await ledger.keys.find(secret)).toBeUndefined()
    const made = await ledger.keys.create({ name: 'later', channel: key.channel, secret })
    expect(await ledger.keys.find(secret)).toEqual(made.key)
  })

  const key = { id: 'key_1' } as ApiKey

  it('reach the database once each, few at a time, until a key is made', async () => {
    const lookups = new KeyLookups()
    let [running, most, asked] = [0, 0, 0]
    const ask = async (hash: string) => {
      asked += 1
      running += 1
      most = Math.max(most, running)
      await new Promise(setImmediate)
      running -= 1
      return hash === 'right' ? key : undefined
    }
    const all = Array.from({ length: 100 }, (_, i) => lookups.find(`wrong ${i}`, ask))
    expect(await lookups.find('right', ask)).toBe(key)
    await Promise.all(all)
    expect([asked, most]).toEqual([101, 8])
    expect(await lookups.find('wrong 7', ask)).toBeUndefined()
    expect(asked).toBe(101)
    lookups.forget()
    await lookups.find('wrong 7', ask)
    expect(asked).toBe(102)
  })

  it('that are answered after a key was made are not remembered', async () => {
    const lookups = new KeyLookups()
    const gate = Promise.withResolvers<undefined>()
    const early = lookups.find('late', () => gate.promise)
    lookups.forget()
    gate.resolve(undefined)
    expect(await early).toBeUndefined()
    expect(await lookups.find('late', async () => key)).toBe(key)
  })

  it('beyond a bound are turned away', async () => {
    const lookups = new KeyLookups()
    const gate = Promise.withResolvers<undefined>()
    const all = Array.from({ length: 8 + 1024 }, (_, i) => lookups.find(`${i}`, () => gate.promise))
    await expect(lookups.find('more', () => gate.promise)).rejects.toMatchObject({ code: 'ERR_LEDGER_BUSY' })
    gate.resolve(undefined)
    await Promise.all(all)
    expect(await lookups.find('more', async () => key)).toBe(key)
  })
})
