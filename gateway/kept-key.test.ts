import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keyVerbs } from './control/index.ts'
import { type KeptKey, openKeptKey } from './kept-key.ts'
import { type Bench, setUp } from './ledger/testing/setup.ts'

let dir: string
let file: string
let bench: Bench
let kept: KeptKey
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-kept-key-'))
  file = join(dir, 'api-key')
  bench = await setUp()
  kept = await openKeptKey(file, bench.ledger.keys, 'C')
})
afterEach(async () => {
  await bench.end()
  rmSync(dir, { recursive: true, force: true })
})

const shown = () => readFileSync(file, 'utf8')
const found = () => bench.ledger.keys.find(shown())
const ask = (verb: string, input: object = {}) =>
  keyVerbs(bench.ledger, kept)[`key/${verb}`]?.({ id: kept.id, ...input })
async function startAgain(): Promise<KeptKey> {
  return await openKeptKey(file, (await bench.reopen()).keys, 'C')
}

describe('the key that is kept in a file', () => {
  it('is made once, and is the same at every start', async () => {
    const first = shown()
    expect(await startAgain()).toMatchObject({ id: kept.id })
    expect(shown()).toBe(first)
    expect(await found()).toMatchObject({ id: kept.id, name: 'quickstart', channel: 'C' })
  })

  it('is in the file again after it was rotated, at once and after a restart', async () => {
    const old = shown()
    const rotated = await ask('rotate', { graceMs: 0 })
    expect(rotated).toMatchObject({ secret: shown(), note: expect.stringContaining(file) })
    expect(await bench.ledger.keys.find(old)).toBeUndefined()
    expect(await found()).toMatchObject({ id: kept.id })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await startAgain()).toMatchObject({ id: kept.id })
    expect(await found()).toMatchObject({ id: kept.id })
  })

  it('is followed by another with the same limits when it was revoked, from the next start on', async () => {
    const limits = { perDay: 50n, models: ['m1'] }
    await bench.ledger.keys.setLimits(kept.id, limits)
    const revoked = await ask('revoke')
    expect(revoked).toMatchObject({ note: expect.stringMatching(/next start makes a new one.*api-key/) })
    expect(await found()).toBeUndefined()
    const { id } = await startAgain()
    expect(id).not.toBe(kept.id)
    expect(await found()).toMatchObject({ id, limits, name: 'quickstart' })
    expect(await startAgain()).toMatchObject({ id })
  })

  it('is followed by another when the file was left behind, so that what is shown works', async () => {
    await bench.ledger.keys.rotate(kept.id, { graceMs: 1000 })
    expect(await startAgain()).toMatchObject({ id: kept.id })
    bench.clock.now += 1000
    const { id } = await startAgain()
    expect(id).not.toBe(kept.id)
    expect(await found()).toMatchObject({ id })
  })

  it('has nothing to do with other keys', async () => {
    const before = shown()
    expect(await ask('rotate', { id: bench.key.id, graceMs: 0 })).not.toHaveProperty('note')
    expect(await ask('revoke', { id: bench.key.id })).not.toHaveProperty('note')
    expect(shown()).toBe(before)
  })
})
