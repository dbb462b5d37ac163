import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Address } from '@ton/core'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { type ChannelParams, channelAddress, generateKey, rawPublicKey } from '../../contracts/index.ts'
import { RequestIds } from './ids.ts'
import { Signer } from './signer.ts'
import { SidecarState } from './state.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-sidecar-state-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const key = generateKey()
const params: ChannelParams = {
  payer: new Address(0, randomBytes(32)),
  payee: new Address(0, randomBytes(32)),
  voucherKey: rawPublicKey(key),
  payeeKey: rawPublicKey(generateKey()),
  challengeSeconds: 3600,
  openUntil: 2_000_000_000,
  salt: randomBytes(32),
}
const address = channelAddress(params).toRawString()
const GLOBAL_ID = -217
let files = 0
const newFile = () => join(dir, `${files++}.sqlite`)
const signerOf = (state: SidecarState, slice: bigint) =>
  new Signer({ state, params, globalId: GLOBAL_ID, key, slice, now: Date.now })

type Step =
  | { kind: 'request'; charge: bigint }
  | { kind: 'prove' | 'lose' | 'raise' | 'voucher' | 'reopen' }
  | { kind: 'deposit'; amount: bigint }
const step = fc.oneof<fc.Arbitrary<Step>[]>(
  fc.record({ kind: fc.constant('request' as const), charge: fc.bigInt(0n, 150n) }),
  fc.record({
    kind: fc.constantFrom(
      'prove' as const,
      'lose' as const,
      'raise' as const,
      'voucher' as const,
      'reopen' as const,
    ),
  }),
  fc.record({ kind: fc.constant('deposit' as const), amount: fc.bigInt(0n, 2_000n) }),
)

describe('the rule', () => {
  it('in any order of requests, proofs, losses and restarts: no voucher passes what was proven by more than a slice, or the deposit', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.bigInt(1n, 500n), (steps, slice) => {
        const file = newFile()
        let state = new SidecarState(file, address)
        let signer = signerOf(state, slice)
        let deposited = 0n
        let proven = 0n
        let highest = 0n
        const numbers = new Set<number>()
        const open: { requestId: string; charge: bigint }[] = []
        const check = () => {
          const { ceiling, signature } = signer.shown()
          expect(ceiling >= highest).toBe(true)
          if (ceiling > highest) expect(ceiling <= proven + slice && ceiling <= deposited).toBe(true)
          highest = ceiling
          expect(signer.isOwn({ ceiling, signature })).toBe(true)
          expect(state.verified).toBe(proven)
        }
        for (const each of steps) {
          if (each.kind === 'request') {
            const n = state.next()
            expect(numbers.has(n)).toBe(false)
            numbers.add(n)
            const requestId = signer.ids.ledgerId(n)
            state.begin({ n, requestId, path: '/', cap: slice, at: 0 })
            open.push({ requestId, charge: each.charge })
          } else if (each.kind === 'prove') {
            const done = open.shift()
            if (done) {
              state.count(done.requestId, done.charge, 'd')
              proven += done.charge
              expect(() => state.count(done.requestId, done.charge, 'd')).toThrow(RangeError)
            }
          } else if (each.kind === 'lose') {
            const lost = open.shift()
            if (lost) state.void(lost.requestId)
          } else if (each.kind === 'deposit') {
            deposited = each.amount
            state.setDeposited(deposited)
          } else if (each.kind === 'reopen') {
            state.close()
            state = new SidecarState(file, address)
            signer = signerOf(state, slice)
            expect(state.open().map(({ requestId }) => requestId)).toEqual(
              open.map(({ requestId }) => requestId),
            )
          } else signer[each.kind]()
          check()
        }
        state.close()
      }),
      { numRuns: 40 },
    )
  })
})

describe('the file', () => {
  it('is this user’s alone, belongs to one channel, and is refused when a newer program wrote it', () => {
    const file = newFile()
    new SidecarState(file, address).close()
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o077).toBe(0)
    expect(() => new SidecarState(file, `0:${'00'.repeat(32)}`)).toThrow(/another channel/)
    const database = new DatabaseSync(file)
    database.exec('PRAGMA user_version = 99')
    database.close()
    expect(() => new SidecarState(file, address)).toThrow(/newer program/)
  })

  it('notes an entry of the list together with how far the list was read, or not at all', () => {
    const file = newFile()
    const state = new SidecarState(file, address)
    state.begin({ n: state.next(), requestId: 'a', path: '/', cap: 1n, at: 0 })
    expect(state.list('a', { after: 'a', total: 1n })).toBe(true)
    expect(state.list('a', { after: 'a', total: 2n })).toBe(false)
    state.close()
    const again = new SidecarState(file, address)
    expect(again.cursor).toEqual({ after: 'a', total: 1n })
    again.close()
  })

  it('gives out no number twice, whatever was lost of the requests', () => {
    const file = newFile()
    const state = new SidecarState(file, address)
    const given = Array.from({ length: 300 }, () => state.next())
    state.close()
    const again = new SidecarState(file, address)
    expect(again.next()).toBeGreaterThan(given.at(-1) ?? 0)
    again.close()
  })
})

describe('ids', () => {
  it('are known again by whoever has the key, and by nobody else', () => {
    const channel = channelAddress(params)
    const ids = new RequestIds(key, channel)
    expect(new RequestIds(key, channel).find(ids.ledgerId(700), { from: 0, below: 1000 })).toBe(700)
    expect(
      new RequestIds(generateKey(), channel).find(ids.ledgerId(700), { from: 0, below: 1000 }),
    ).toBeUndefined()
    expect(
      new RequestIds(key, new Address(0, Buffer.alloc(32))).find(ids.ledgerId(700), { from: 0, below: 1000 }),
    ).toBeUndefined()
    expect(ids.id(0)).toMatch(/^[A-Za-z0-9_-]{32}$/)
    expect(ids.id(0)).not.toBe(ids.id(1))
  })
})
