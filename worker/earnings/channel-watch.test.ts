import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { silentLog } from '../log.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import type { SeenOnChain } from './book.ts'
import { ChannelWatch } from './channel-watch.ts'

const SEEN = {} as SeenOnChain

/** A watch whose looks end when the test says so. */
function stand() {
  const clock = new ManualClock()
  const looks: PromiseWithResolvers<SeenOnChain>[] = []
  const seen: unknown[] = []
  const watch = new ChannelWatch({
    channel: {
      look: () => {
        const look = Promise.withResolvers<SeenOnChain>()
        looks.push(look)
        return look.promise
      },
    },
    book: { see: (found) => void seen.push(found) },
    clock,
    log: silentLog,
    onLooked: () => void seen.push(watch.refused ?? 'good'),
  })
  return { clock, looks, seen, watch }
}

test('looks each minute, one look at a time, and says what was found against the channel', async () => {
  const { clock, looks, seen } = stand()
  clock.advance(120_000)
  expect(looks).toHaveLength(1)
  looks[0]?.reject(Object.assign(new Error('closing'), { code: 'ERR_CHANNEL_CLOSING' }))
  await turn()
  expect(seen).toEqual(['ERR_CHANNEL_CLOSING'])
  clock.advance(60_000)
  looks[1]?.reject(Object.assign(new Error('away'), { code: 'ERR_CHAIN_UNREACHABLE' }))
  await turn()
  expect(seen).toEqual(['ERR_CHANNEL_CLOSING', 'ERR_CHANNEL_CLOSING'])
  clock.advance(60_000)
  looks[2]?.resolve(SEEN)
  await turn()
  expect(seen.slice(2)).toEqual([SEEN, 'good'])
})

test('ends with its link, also when that goes while it looks', async () => {
  const { clock, looks, seen, watch } = stand()
  clock.advance(60_000)
  watch.close()
  looks[0]?.resolve(SEEN)
  await turn()
  clock.advance(600_000)
  expect(looks).toHaveLength(1)
  expect(seen).toEqual([SEEN])
})
