import type { LlamaContextSequence } from 'node-llama-cpp'
import { describe, expect, it } from 'vitest'
import { Batching } from './batching.ts'
import { SequencePool } from './pool.ts'

/** What the pool uses of a sequence, over a plain array. */
class FakeSequence {
  tokens: number[] = []

  get nextTokenIndex(): number {
    return this.tokens.length
  }

  compareContextTokens(tokens: readonly number[]): { firstDifferentIndex: number } {
    const different = this.tokens.findIndex((token, index) => token !== tokens[index])
    return { firstDifferentIndex: different < 0 ? this.tokens.length : different }
  }

  async adaptStateToTokens(tokens: readonly number[]): Promise<void> {
    this.tokens.length = this.compareContextTokens(tokens).firstDifferentIndex
  }

  async clearHistory(): Promise<void> {
    this.tokens = []
  }
}

const never = new AbortController().signal

function pool(size: number) {
  const sequences = Array.from({ length: size }, () => new FakeSequence())
  return new SequencePool(sequences as unknown as LlamaContextSequence[], new Batching())
}

async function use(
  from: SequencePool,
  tokens: number[],
  cacheKey?: string,
): Promise<{ index: number; kept: number }> {
  const slot = await from.acquire(tokens, cacheKey, never)
  if (!slot) throw new Error('not cancelled')
  const kept = await from.prepare(slot, tokens, cacheKey)
  ;(slot.sequence as unknown as FakeSequence).tokens = [...tokens]
  from.release(slot, true)
  return { index: slot.index, kept }
}

describe('SequencePool', () => {
  it('lends in the order of asking, and passes over who has left', async () => {
    const one = pool(1)
    const first = await one.acquire([1], undefined, never)
    const order: string[] = []
    const leaving = new AbortController()
    const second = one.acquire([1], undefined, never).then((slot) => order.push('second') && slot)
    const left = one.acquire([1], undefined, leaving.signal)
    const fourth = one.acquire([1], undefined, never).then((slot) => order.push('fourth') && slot)
    expect(one.waiting).toBe(3)
    leaving.abort()
    await expect(left).resolves.toBeUndefined()
    expect(one.waiting).toBe(2)
    if (first) one.release(first, true)
    const lent = await second
    if (lent) one.release(lent, true)
    await fourth
    expect(order).toEqual(['second', 'fourth'])
  })

  it('keeps the common beginning, but never the whole prompt', async () => {
    const two = pool(2)
    await use(two, [1, 2, 3, 4], 'a')
    expect((await use(two, [1, 2, 3, 4], 'a')).kept).toBe(3)
    expect((await use(two, [1, 2, 9], 'a')).kept).toBe(2)
  })

  it('picks the sequence with the longest beginning of the same key', async () => {
    const three = pool(3)
    const long = await use(three, [1, 2, 3, 4], 'a')
    const held = await three.acquire([1, 2, 3, 4], 'a', never)
    const short = await use(three, [1, 7], 'a')
    if (held) three.release(held, true)
    expect(short.index).not.toBe(long.index)
    expect((await use(three, [1, 7, 8], 'a')).index).toBe(short.index)
  })

  it('never reuses across keys, without a key, or after a failure', async () => {
    const one = pool(1)
    await use(one, [1, 2, 3], 'a')
    expect((await use(one, [1, 2, 3], 'b')).kept).toBe(0)
    expect((await use(one, [1, 2, 3])).kept).toBe(0)
    expect((await use(one, [1, 2, 3])).kept).toBe(0)
    await use(one, [1, 2, 3], 'a')
    const slot = await one.acquire([1, 2, 3], 'a', never)
    if (slot) one.release(slot, false)
    expect((await use(one, [1, 2, 3], 'a')).kept).toBe(0)
  })

  it('takes the one that was used longest ago when nothing matches', async () => {
    const two = pool(2)
    const first = await use(two, [1], 'a')
    const second = await use(two, [2], 'b')
    expect((await use(two, [3], 'c')).index).toBe(first.index)
    expect((await use(two, [4], 'd')).index).toBe(second.index)
  })
})
