import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ChrysalisError } from '../errors.ts'
import { fuzz, type Target } from './fuzz.ts'
import { generator, mutate } from './mutate.ts'
import { TARGETS } from './targets.ts'

const SEED = 3
const limits = { seed: SEED, inputs: 200, slow: 60_000 }

describe('fuzz targets', () => {
  it.each(Object.entries(TARGETS))(
    '%s takes its seeds and survives some bad inputs',
    async (_name, target) => {
      const { crashes, taken, inputs } = await fuzz(target, limits)
      expect(crashes).toEqual([])
      expect(taken).toBeLessThan(inputs)
    },
  )

  it('each has its million on record, without a crash', () => {
    const record = readFileSync(new URL('./README.md', import.meta.url), 'utf8')
    const rows = new Map(
      [...record.matchAll(/^\| ([a-z-]+) \| (\d+) \|.*\| (\d+) \|$/gm)].map(([, name, inputs, crashes]) => [
        name,
        [Number(inputs) >= 1_000_000, Number(crashes)],
      ]),
    )
    for (const name of Object.keys(TARGETS)) expect(rows.get(name), name).toEqual([true, 0])
  })

  it('reports what is thrown without a type, and a seed that is refused', async () => {
    const broken = (error: Error): Target => ({
      reads: '',
      seeds: () => [new Uint8Array(4)],
      parse: (bytes) => {
        if (bytes.some((byte) => byte !== 0)) throw error
      },
    })
    expect((await fuzz(broken(new TypeError('x')), limits)).crashes[0]).toMatchObject({
      what: 'TypeError: x',
    })
    expect((await fuzz(broken(new ChrysalisError('ERR_X', 'x')), limits)).crashes).toEqual([])
    const refusing = { ...broken(new Error()), seeds: () => [Uint8Array.of(1)] }
    expect((await fuzz({ ...refusing, parse: () => raise() }, limits)).crashes[0]?.what).toMatch('good input')
  })

  it('makes the same inputs from the same seed', () => {
    const run = (): Uint8Array[] => {
      const random = generator(SEED)
      return Array.from({ length: 50 }, () => mutate([new Uint8Array(32), Uint8Array.of(1, 2, 3)], random))
    }
    expect(run()).toEqual(run())
    expect(new Set(run().map(String)).size).toBeGreaterThan(20)
  })
})

function raise(): never {
  throw new ChrysalisError('ERR_X', 'refused')
}
