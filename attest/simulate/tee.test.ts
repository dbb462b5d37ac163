import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { toHex } from '../bytes.ts'
import { parseEventLog, replay } from '../eventlog/index.ts'
import { parseQuote } from '../tdx/quote.ts'
import { COLLATERAL_LIFETIME } from './collateral.ts'
import { SimulatedTee, simulatedRoot } from './tee.ts'

const NOW = Date.UTC(2026, 10, 22)
const now = (): number => NOW
let dir: string

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'chrysalis-tee-')), 'tee')
})
afterEach(() => rm(join(dir, '..'), { recursive: true }))

describe('SimulatedTee', () => {
  it('keeps one root per folder, in files that only their owner reads', async () => {
    const first = await SimulatedTee.open(dir, { now })
    const again = await SimulatedTee.open(dir, { now })
    expect(again.rootSha256).toBe(first.rootSha256)
    expect(await simulatedRoot(dir)).toBe(first.rootSha256)
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    for (const file of await readdir(dir)) expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600)
    expect((await readdir(dir)).sort()).toEqual(['platform.json', 'root.der'])
  })

  it('makes one root when many open an empty folder at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => SimulatedTee.open(dir, { now })))
    expect(new Set(all.map(({ rootSha256 }) => rootSha256)).size).toBe(1)
    expect(await simulatedRoot(dir)).toBe(all[0]?.rootSha256)
  })

  it('heals a missing public root, and says plainly what is broken', async () => {
    await expect(simulatedRoot(dir)).rejects.toMatchObject({ code: 'ERR_SIMULATED_ROOT_MISSING' })
    const tee = await SimulatedTee.open(dir, { now })
    await rm(join(dir, 'root.der'))
    await SimulatedTee.open(dir, { now })
    expect(await simulatedRoot(dir)).toBe(tee.rootSha256)
    const text = await readFile(join(dir, 'platform.json'), 'utf8')
    await writeFile(join(dir, 'platform.json'), text.slice(0, -20))
    const broken = SimulatedTee.open(dir, { now })
    await expect(broken).rejects.toMatchObject({ code: 'ERR_SIMULATED_TEE_FILE' })
    await expect(broken).rejects.not.toThrow('PRIVATE KEY')
  })

  it('measures the software and what is extended, the same in every installation', async () => {
    const quoteOf = async (software: string, models: string[]): Promise<string[]> => {
      const events = models.map((payload) => ({ name: 'chrysalis.model', payload }))
      const tee = SimulatedTee.ephemeral({ now, software, events })
      const { body } = parseQuote(await tee.quote(new Uint8Array(64)))
      return [body.mrTd, ...body.rtmr].map(toHex)
    }
    const [mrTd, r0, r1, r2, r3] = await quoteOf('1.0', ['model'])
    expect(await quoteOf('1.0', ['model'])).toEqual([mrTd, r0, r1, r2, r3])
    const other = await quoteOf('1.1', ['model'])
    expect(other.slice(0, 4).some((value) => [mrTd, r0, r1, r2].includes(value))).toBe(false)
    expect(other[4]).toBe(r3)
    expect((await quoteOf('1.0', ['other']))[4]).not.toBe(r3)
    expect((await quoteOf('1.0', []))[4]).toBe('00'.repeat(48))
    // SHA-384(48 zero bytes || SHA-384("chrysalis/event/1" || 00 || "chrysalis.model" || 00 || "model"))
    expect(r3).toBe(RTMR3)
  })

  it('has an event log that replays to its registers once it is told what it measures', async () => {
    const events = [
      { name: 'chrysalis.software', payload: '{"commit":"test","version":"1"}' },
      { name: 'chrysalis.configuration', payload: Uint8Array.of(123, 125) },
    ]
    const tee = SimulatedTee.ephemeral({ now, software: '1.0', events })
    const { body } = parseQuote(await tee.quote(new Uint8Array(64)))
    const log = parseEventLog((await tee.eventLog()) ?? new Uint8Array())
    expect(replay(log).map(toHex)).toEqual(body.rtmr.map(toHex))
    expect(log.entries.slice(-2).map(({ name }) => name)).toEqual(events.map(({ name }) => name))
    expect(await SimulatedTee.ephemeral({ now }).eventLog()).toBeUndefined()
  })

  it('asks its GPUs for evidence over the nonce given, where it has any', async () => {
    const gpus = { evidence: async (nonce: Uint8Array) => nonce.slice().reverse() }
    const nonce = Uint8Array.from({ length: 32 }, (_, i) => i)
    expect(await SimulatedTee.ephemeral({ now, gpus }).gpu(nonce)).toEqual(nonce.toReversed())
    expect(await SimulatedTee.ephemeral({ now }).gpu(nonce)).toBeUndefined()
  })

  it('issues collateral anew well before it runs out, and when the clock goes back', async () => {
    let time = NOW
    const tee = SimulatedTee.ephemeral({ now: () => time })
    const first = await tee.collateral()
    time += COLLATERAL_LIFETIME / 2
    expect(await tee.collateral()).toBe(first)
    time += COLLATERAL_LIFETIME / 4
    const second = await tee.collateral()
    expect(second).not.toBe(first)
    time = NOW - 86_400_000
    expect(await tee.collateral()).not.toBe(second)
  })
})

const RTMR3 =
  '68c90309c551e1c202d2b53acb6fa097126962170f35b372b98e4d0551d1c2d0a0ce6f71bd2493e3a1573941567b62e9'
