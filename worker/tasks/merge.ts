/**
 * Runs one generator per item, at most `width` of them at once, and yields their values as they come. One step
 * of each is pulled ahead of the reader, no more. The first error, or the reader's leaving, stops all of them.
 */
export async function* sideBySide<Item, Value>(
  items: readonly Item[],
  width: number,
  signal: AbortSignal,
  run: (item: Item, signal: AbortSignal) => AsyncGenerator<Value>,
): AsyncGenerator<Value> {
  const [only] = items
  if (items.length === 1 && only !== undefined) return yield* run(only, signal)
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  const queue = [...items]
  const live = new Set<AsyncGenerator<Value>>()
  const pending = new Map<AsyncGenerator<Value>, Promise<Pulled<Value>>>()
  const pull = (from: AsyncGenerator<Value>) => {
    pending.set(
      from,
      from.next().then((result) => ({ from, result })),
    )
  }
  const begin = () => {
    const item = queue.shift()
    if (item === undefined) return
    const generator = run(item, both)
    live.add(generator)
    pull(generator)
  }
  try {
    for (let started = 0; started < width; started++) begin()
    while (pending.size > 0) {
      const { from, result } = await Promise.race(pending.values())
      pending.delete(from)
      if (result.done) {
        live.delete(from)
        begin()
        continue
      }
      // Behind the others in the race, so that none is starved.
      yield result.value
      pull(from)
    }
  } finally {
    // The signal ends those that are working, return() those that wait for their reader.
    stop.abort()
    await Promise.allSettled([
      ...pending.values(),
      ...[...live].map((generator) => generator.return(undefined)),
    ])
  }
}

interface Pulled<Value> {
  readonly from: AsyncGenerator<Value>
  readonly result: IteratorResult<Value>
}
