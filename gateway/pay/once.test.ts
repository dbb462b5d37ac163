import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsedOnce } from './index.ts'

const NOW = 1_800_000_000
const idOf = (n: number) => n.toString(16).padStart(32, '0')
const REPLAYED = { status: 409, apiCode: 'payment_replayed' }

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'once-'))
  file = join(folder, 'used-payments')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('a payment is taken once', () => {
  it('also by the next process, until it expires; then not at all', async () => {
    const used = await UsedOnce.open(file)
    await used.take(idOf(1), NOW + 60, NOW)
    await expect(used.take(idOf(1), NOW + 60, NOW)).rejects.toMatchObject(REPLAYED)
    const again = await UsedOnce.open(file)
    await expect(again.take(idOf(1), NOW + 60, NOW + 59)).rejects.toMatchObject(REPLAYED)
    // A body that came slowly brings its payment when its id may be forgotten already.
    await expect(again.take(idOf(1), NOW + 60, NOW + 60)).rejects.toMatchObject({
      status: 402,
      apiCode: 'payment_expired',
    })
  })

  it('by one of many that come at once', async () => {
    const used = await UsedOnce.open(file)
    const taken = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) => used.take(idOf(n % 50), NOW + 60, NOW)),
    )
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
    const again = await UsedOnce.open(file)
    for (let n = 0; n < 50; n++)
      await expect(again.take(idOf(n), NOW + 60, NOW)).rejects.toMatchObject(REPLAYED)
  })

  it('whatever was half written when the power failed', async () => {
    const used = await UsedOnce.open(file)
    await used.take(idOf(1), NOW + 60, NOW)
    await used.take(idOf(2), NOW + 60, NOW)
    const whole = await readFile(file, 'utf8')
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (end) => {
        await writeFile(file, whole.slice(0, end))
        const again = await UsedOnce.open(file)
        await again.take(idOf(3), NOW + 60, NOW)
        await again.take(idOf(4), NOW + 60, NOW)
        const third = await UsedOnce.open(file)
        const complete = whole.slice(0, end).split('\n').length - 1
        for (const n of [...[1, 2].slice(0, complete), 3, 4])
          await expect(third.take(idOf(n), NOW + 60, NOW)).rejects.toMatchObject(REPLAYED)
      }),
      { numRuns: 20 },
    )
  })
})

it('the file is for this user alone and forgets what expired', async () => {
  const used = await UsedOnce.open(file)
  for (let round = 0; round < 10; round++) {
    const now = NOW + round * 100
    await Promise.all(
      Array.from({ length: 1000 }, (_, n) => used.take(idOf(round * 1000 + n), now + 60, now)),
    )
  }
  expect((await readFile(file, 'utf8')).split('\n').length).toBeLessThan(10_000)
  if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600)
})

it('a disk that fails refuses the payment; when it works again nothing of before is missing', async () => {
  const used = await UsedOnce.open(file)
  await used.take(idOf(1), NOW + 60, NOW)
  const kept = await readFile(file)
  await rm(file)
  await mkdir(file)
  await expect(used.take(idOf(2), NOW + 60, NOW)).rejects.toMatchObject({ code: 'EISDIR' })
  await expect(used.take(idOf(2), NOW + 60, NOW)).rejects.toMatchObject(REPLAYED)
  await rm(file, { recursive: true })
  await writeFile(file, kept)
  await used.take(idOf(3), NOW + 60, NOW)
  const again = await UsedOnce.open(file)
  for (const n of [1, 2, 3]) await expect(again.take(idOf(n), NOW + 60, NOW)).rejects.toMatchObject(REPLAYED)
})

it('a file that cannot be read stops the start', async () => {
  await mkdir(file)
  await expect(UsedOnce.open(file)).rejects.toMatchObject({ code: 'EISDIR' })
})
