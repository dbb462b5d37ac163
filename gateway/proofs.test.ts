import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeQuote, type Quote, quoteDigest } from '../worker/protocol/index.ts'
import { ChargeProofs } from './proofs.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-proofs-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const prices = { prompt: '1', cached: '1', completion: '1', reasoning: '1' }
const quote = (n: number): Quote => ({
  v: 1,
  model: { id: 'm', sha256: '00'.repeat(32) },
  client: { ...prices, prompt: String(n) },
  worker: prices,
  step: '1',
})
const digestOf = (n: number) => quoteDigest(encodeQuote(quote(n)))

describe('quotes', () => {
  it('are found by their digest, also after a restart, and half a file is none', () => {
    const before = new ChargeProofs(dir)
    before.keep([quote(1), quote(2), quote(1)])
    expect(readdirSync(dir)).toHaveLength(2)
    writeFileSync(join(dir, digestOf(2)), '{')
    const after = new ChargeProofs(dir)
    expect(after.quote(digestOf(1))).toEqual(new Uint8Array(encodeQuote(quote(1))))
    expect(after.quote(digestOf(2))).toBeUndefined()
    // Kept anew when it is given again.
    after.keep([quote(2)])
    expect(new ChargeProofs(dir).quote(digestOf(2))).toBeDefined()
  })

  it('are bounded: the oldest go first', () => {
    const proofs = new ChargeProofs(dir)
    proofs.keep(Array.from({ length: 4097 }, (_, n) => quote(n)))
    expect(proofs.quote(digestOf(0))).toBeUndefined()
    expect(existsSync(join(dir, digestOf(0)))).toBe(false)
    expect(proofs.quote(digestOf(4096))).toBeDefined()
  })
})

it('counts are kept for so many requests, the newest', () => {
  const proofs = new ChargeProofs()
  const counts = { details: new Uint8Array(2), blind: new Uint8Array(32) }
  for (let i = 0; i <= 16_384; i++) proofs.note(`r${i}`, counts)
  expect([proofs.counts('r0'), proofs.counts('r16384')]).toEqual([undefined, counts])
})
