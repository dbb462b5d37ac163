import { expect, it } from 'vitest'
import { UnverifiedBodies } from './unverified.ts'

const busy = expect.objectContaining({ status: 503, apiCode: 'server_busy' })
const never = new Promise<void>(() => {})

it('counts what is kept, and no more once the work has ended, however it did', async () => {
  const bodies = new UnverifiedBodies(100, 60)
  const gate = Promise.withResolvers<void>()
  const first = bodies.run('a', async ({ keep }) => {
    keep(40)
    keep(20)
    await gate.promise
  })
  await expect(
    bodies.run('b', async ({ keep }) => {
      keep(30)
      throw new Error('cut')
    }),
  ).rejects.toThrow('cut')
  expect(bodies.bytes).toBe(60)
  gate.resolve()
  await first
  expect(bodies.bytes).toBe(0)
  await bodies.run('a', async ({ keep }) => keep(60))
  await expect(bodies.run('a', async ({ keep }) => keep(61))).rejects.toEqual(busy)
  expect(bodies.bytes).toBe(0)
})

it('whoever has been uploading longest on a channel makes room, and can keep nothing more', async () => {
  const bodies = new UnverifiedBodies(100, 60)
  const more = Promise.withResolvers<void>()
  let kept: unknown
  const slow = bodies.run('a', async ({ keep, signal }) => {
    signal.addEventListener('abort', () => more.resolve())
    keep(50)
    await more.promise
    try {
      keep(1)
    } catch (error) {
      kept = error
    }
  })
  const other = bodies.run('b', async ({ keep }) => {
    keep(40)
    await never
  })
  other.catch(() => expect.fail('another channel is no concern of this one'))
  expect(await bodies.run('a', async ({ keep }) => keep(11))).toBeUndefined()
  await expect(slow).rejects.toEqual(busy)
  expect(kept).toEqual(busy)
  expect(bodies.bytes).toBe(40)
})

it('whoever has been uploading longest of all makes room, whatever channel it names', async () => {
  const bodies = new UnverifiedBodies(100, 60)
  const [slow, next] = ['a', 'b'].map((channel) =>
    bodies.run(channel, async ({ keep }) => {
      keep(50)
      await never
    }),
  )
  next?.catch(() => expect.fail('one of them is enough'))
  expect(await bodies.run('c', async ({ keep }) => keep(1))).toBeUndefined()
  await expect(slow).rejects.toEqual(busy)
  expect(bodies.bytes).toBe(50)
})
