import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { SimulatedTee } from '../simulate/index.ts'
import { type CacheOptions, CollateralCache, type Origin } from './cache.ts'
import { checkCollateral } from './check.ts'
import { CollateralError } from './errors.ts'
import { collateralFolder } from './node-cache.ts'
import { type Subject, subjectOf } from './source.ts'

const START = Date.UTC(2026, 10, 22)
const HOUR = 3_600_000
const DAY = 24 * HOUR

let clock = START
const tee = SimulatedTee.ephemeral({ now: () => clock })
const subject = subjectOf(await tee.quote(new Uint8Array(64)))

const folders: string[] = []
afterEach(async () => {
  clock = START
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'collateral-'))
  folders.push(folder)
  return folder
}

/** An origin that issues collateral at the manual clock, counts, and fails when told to. */
class FakeOrigin implements Origin {
  fetches = 0
  failing: string | undefined
  lifetime = 30 * DAY
  backdated = 0
  gate: Promise<void> | undefined

  async fetch(asked: Subject): ReturnType<Origin['fetch']> {
    this.fetches++
    await this.gate
    if (this.failing !== undefined) throw new CollateralError('ERR_COLLATERAL_UNREACHABLE', this.failing)
    const collateral = tee.issueCollateral({ issuedAt: clock - this.backdated, lifetime: this.lifetime })
    return { collateral, validity: await this.check(collateral, asked) }
  }

  check(...[collateral, asked]: Parameters<Origin['check']>): ReturnType<Origin['check']> {
    return checkCollateral(collateral, { ...subject, ca: asked.ca }, undefined)
  }
}

function cached(origin: FakeOrigin, cache: CacheOptions = {}, name = 'https://pcs'): CollateralCache {
  return new CollateralCache(name, origin, { now: () => clock, cache })
}

describe('the cache', () => {
  it('asks once for 12 hours, and then for newer', async () => {
    const origin = new FakeOrigin()
    const cache = cached(origin)
    const first = await cache.obtain(subject)
    expect(first).toMatchObject({ source: 'https://pcs', fetchedAt: START })
    clock = START + 12 * HOUR - 1
    expect(await cache.obtain(subject)).toBe(first)
    clock++
    expect(await cache.obtain(subject)).toMatchObject({ fetchedAt: START + 12 * HOUR })
    expect(origin.fetches).toBe(2)
  })

  it('asks for newer a day before the first part ends, but not at every quote', async () => {
    const origin = new FakeOrigin()
    origin.lifetime = 3 * DAY
    const cache = cached(origin, { refreshAfterMs: 10 * DAY })
    await cache.obtain(subject)
    clock = START + 2 * DAY - 1
    await cache.obtain(subject)
    expect(origin.fetches).toBe(1)
    clock++
    origin.lifetime = DAY / 2
    await cache.obtain(subject)
    clock += 59_999
    await cache.obtain(subject)
    expect(origin.fetches).toBe(2)
    clock++
    await cache.obtain(subject)
    expect(origin.fetches).toBe(3)
  })

  it('hands out the old, and says so, when there is no newer: within its dates and the limit', async () => {
    const origin = new FakeOrigin()
    const cache = cached(origin)
    const first = await cache.obtain(subject)
    origin.failing = 'pcs: status 503'
    clock = START + 12 * HOUR
    expect(await cache.obtain(subject)).toEqual({ ...first, staleBecause: 'pcs: status 503' })
    clock = START + 60 * HOUR
    expect(await cache.obtain(subject)).toMatchObject({ staleBecause: 'pcs: status 503' })
    clock++
    await expect(cache.obtain(subject)).rejects.toThrow('503')
    origin.failing = undefined
    expect(await cache.obtain(subject)).not.toHaveProperty('staleBecause')
  })

  it('never hands out what is past its dates, or before them when the clock went back', async () => {
    const origin = new FakeOrigin()
    origin.lifetime = DAY
    const cache = cached(origin, { staleLimitMs: 100 * DAY })
    await cache.obtain(subject)
    origin.failing = 'down'
    clock = START + DAY
    expect(await cache.obtain(subject)).toHaveProperty('staleBecause')
    clock++
    await expect(cache.obtain(subject)).rejects.toThrow('down')
    clock = START - 1
    await expect(cache.obtain(subject)).rejects.toThrow('down')
  })

  it('asks anew when the clock went back, and when the dates end sooner than a minute', async () => {
    const origin = new FakeOrigin()
    origin.backdated = DAY
    const cache = cached(origin)
    await cache.obtain(subject)
    clock = START - HOUR
    // Whoever issues has another clock.
    origin.backdated = DAY - HOUR
    expect(await cache.obtain(subject)).toMatchObject({ fetchedAt: clock })
    expect(origin.fetches).toBe(2)
    origin.backdated = 0
    origin.lifetime = 30_000
    clock = START + 20 * HOUR
    await cache.obtain(subject)
    clock += 30_001
    await cache.obtain(subject)
    expect(origin.fetches).toBe(4)
  })

  it('tries again a minute after a failure, not at every quote', async () => {
    const origin = new FakeOrigin()
    const cache = cached(origin)
    await cache.obtain(subject)
    origin.failing = 'down'
    clock = START + 13 * HOUR
    for (let i = 0; i < 5; i++) expect(await cache.obtain(subject)).toHaveProperty('staleBecause')
    expect(origin.fetches).toBe(2)
    clock += 60_000
    origin.failing = undefined
    expect(await cache.obtain(subject)).not.toHaveProperty('staleBecause')
    expect(origin.fetches).toBe(3)
  })

  it('asks once for all that ask at the same time, and for few platforms at once', async () => {
    const origin = new FakeOrigin()
    let open: (() => void) | undefined
    origin.gate = new Promise((resolve) => {
      open = resolve
    })
    const cache = cached(origin, { maxInFlight: 2 })
    const same = Promise.all([cache.obtain(subject), cache.obtain(subject), cache.obtain(subject)])
    const second = cache.obtain({ ...subject, fmspc: '000000000001' })
    await expect(cache.obtain({ ...subject, fmspc: '000000000002' })).rejects.toMatchObject({
      code: 'ERR_COLLATERAL_BUSY',
    })
    open?.()
    const [a, b, c] = await same
    expect(a === b && b === c).toBe(true)
    await second
    expect(origin.fetches).toBe(2)
    await cache.obtain({ ...subject, fmspc: '000000000002' })
  })

  it('remembers no failure of a first answer', async () => {
    const origin = new FakeOrigin()
    origin.failing = 'down'
    const cache = cached(origin)
    await expect(cache.obtain(subject)).rejects.toThrow('down')
    origin.failing = undefined
    await cache.obtain(subject)
  })

  it('keeps platforms and sources apart', async () => {
    const origin = new FakeOrigin()
    const store = collateralFolder(await newFolder())
    await cached(origin, { store }, 'https://a').obtain(subject)
    await cached(origin, { store }, 'https://b').obtain(subject)
    await cached(origin, { store }, 'https://a').obtain({ ...subject, fmspc: '000000000001' })
    expect(origin.fetches).toBe(3)
  })
})

describe('the folder', () => {
  it('outlives the process, whole and private', async () => {
    const dir = join(await newFolder(), 'new')
    const origin = new FakeOrigin()
    const first = await cached(origin, { store: collateralFolder(dir) }).obtain(subject)
    expect(await cached(origin, { store: collateralFolder(dir) }).obtain(subject)).toEqual(first)
    expect(origin.fetches).toBe(1)
    const [file = '', ...more] = await readdir(dir)
    expect(file).toMatch(/^[0-9a-f]{12}\.platform\.[0-9a-f]{16}\.json$/)
    expect(more).toEqual([])
    expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600)
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
  })

  it('is looked at again when newer is due: another process may have it', async () => {
    const store = collateralFolder(await newFolder())
    const [mine, theirs] = [new FakeOrigin(), new FakeOrigin()]
    const cache = cached(mine, { store })
    await cache.obtain(subject)
    clock = START + 12 * HOUR
    await cached(theirs, { store }).obtain(subject)
    expect(await cache.obtain(subject)).toMatchObject({ fetchedAt: clock })
    expect([mine.fetches, theirs.fetches]).toEqual([1, 1])
  })

  it('counts for nothing when its file is damaged, forged or out of date', async () => {
    const dir = await newFolder()
    const store = collateralFolder(dir)
    const origin = new FakeOrigin()
    const warnings: string[] = []
    const open = (): CollateralCache => cached(origin, { store, warn: (text) => warnings.push(text) })
    await open().obtain(subject)
    const [file = ''] = await readdir(dir)
    const path = join(dir, file)
    const good = await readFile(path, 'utf8')
    const bad = [
      '',
      '{}',
      good.slice(0, 2000),
      good.replace('"format"', '"f"'),
      good.replace('UpToDate', 'Revoked'),
    ]
    for (const [i, text] of bad.entries()) {
      await writeFile(path, text)
      await open().obtain(subject)
      expect(origin.fetches).toBe(i + 2)
    }
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('does not verify')
    clock = START + 40 * DAY
    await open().obtain(subject)
    expect(origin.fetches).toBe(bad.length + 2)
  })

  it('that cannot be used is reported and stops nothing', async () => {
    const dir = join(await newFolder(), 'file')
    await writeFile(dir, '')
    const warnings: string[] = []
    const cache = cached(new FakeOrigin(), {
      store: collateralFolder(dir),
      warn: (text) => warnings.push(text),
    })
    await cache.obtain(subject)
    expect(warnings.join()).toContain('cannot be kept')
  })
})
