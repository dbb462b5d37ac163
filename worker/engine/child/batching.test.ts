import type { BatchItem, EvaluationPriority } from 'node-llama-cpp'
import { describe, expect, it } from 'vitest'
import { Batching, prefillChunk, shareBatch } from './batching.ts'

function item(tokens: number, priority: number): BatchItem {
  return { tokens: new Array(tokens).fill(0), logits: [], evaluationPriority: priority as EvaluationPriority }
}

function shares(items: readonly BatchItem[], size: number): [priority: number, tokens: number][] {
  return shareBatch(items, size).map(({ item: chosen, processAmount }) => [
    chosen.evaluationPriority,
    processAmount,
  ])
}

describe('shareBatch', () => {
  it('orders by sequence, whatever the order of arrival', () => {
    expect(shares([item(1, 2), item(1, 9), item(1, 5)], 512)).toEqual([
      [9, 1],
      [5, 1],
      [2, 1],
    ])
  })

  it('gives single tokens their place before any prompt, and prompts one chunk in all', () => {
    expect(shares([item(1000, 9), item(1, 8), item(100, 7), item(1, 6)], 512)).toEqual([
      [9, prefillChunk],
      [8, 1],
      [6, 1],
    ])
    expect(shares([item(100, 9), item(1, 8), item(100, 7)], 512)).toEqual([
      [9, 100],
      [8, 1],
      [7, 28],
    ])
  })

  it('never gives more than there is', () => {
    const chosen = shares([item(1, 4), item(1, 3), item(1, 2), item(50, 1)], 2)
    expect(chosen).toEqual([
      [4, 1],
      [3, 1],
    ])
  })
})

describe('Batching', () => {
  it('waits for streams that are about to queue, but not for ever', () => {
    const batching = new Batching()
    batching.enter()
    batching.enter()
    const alone = [item(1, 1)]
    let looks = 0
    while (batching.strategy({ items: alone, size: 8 }).length === 0) looks++
    expect(looks).toBeGreaterThan(0)
    expect(batching.strategy({ items: [item(1, 2), item(1, 1)], size: 8 })).toHaveLength(2)
    expect(batching.sizes).toEqual([undefined, 1, 1])
    batching.leave()
    expect(batching.strategy({ items: alone, size: 8 })).toHaveLength(1)
  })

  it('holds streams back while an exclusive operation runs, and lets its batch go at once', async () => {
    const batching = new Batching()
    batching.enter()
    batching.enter()
    expect(batching.turn()).toBeUndefined()
    const first = Promise.withResolvers<void>()
    const second = Promise.withResolvers<void>()
    const both = [batching.exclusive(() => first.promise), batching.exclusive(() => second.promise)]
    const turn = batching.turn()
    expect(turn).toBeInstanceOf(Promise)
    expect(batching.strategy({ items: [item(1, 1)], size: 8 })).toHaveLength(1)
    first.resolve()
    await both[0]
    expect(batching.turn()).toBe(turn)
    second.resolve()
    await both[1]
    await turn
    expect(batching.turn()).toBeUndefined()
  })
})
