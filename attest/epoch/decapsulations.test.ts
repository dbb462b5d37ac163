import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { Decapsulations } from './decapsulations.ts'
import type { Exporter } from './kem.ts'

const info = utf8('info')
const exporter = (): Exporter => ({ export: async () => new Uint8Array(32) })

describe('decapsulations', () => {
  it('are made once for the same bytes, also side by side', async () => {
    const kept = new Decapsulations()
    let made = 0
    const make = async () => {
      made += 1
      return exporter()
    }
    const [a, b] = await Promise.all([kept.of(utf8('a'), info, make), kept.of(utf8('a'), info, make)])
    expect(a).toBe(b)
    expect(made).toBe(1)
    await kept.of(utf8('b'), info, make)
    await kept.of(utf8('a'), utf8('other'), make)
    expect(made).toBe(3)
  })

  it('are not kept when they failed', async () => {
    const kept = new Decapsulations()
    await expect(kept.of(utf8('a'), info, () => Promise.reject(new Error('bad')))).rejects.toThrow('bad')
    await expect(kept.of(utf8('a'), info, async () => exporter())).resolves.toBeDefined()
  })

  it('are bounded: the one that was not used for longest goes first', async () => {
    const kept = new Decapsulations(2)
    const made: string[] = []
    const of = (name: string) =>
      kept.of(utf8(name), info, async () => {
        made.push(name)
        return exporter()
      })
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await of(name)
    expect(made).toEqual(['a', 'b', 'c', 'b'])
  })

  it('are gone once cleared', async () => {
    const kept = new Decapsulations()
    let made = 0
    const make = async () => {
      made += 1
      return exporter()
    }
    await kept.of(utf8('a'), info, make)
    kept.clear()
    await kept.of(utf8('a'), info, make)
    expect(made).toBe(2)
  })
})
