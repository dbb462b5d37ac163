import { expect, it } from 'vitest'
import { UnverifiedBodies } from './unverified.ts'

const busy = expect.objectContaining({ status: 503, apiCode: 'server_busy' })

it('holds so much of one channel, and gives it back however the work ends', async () => {
  const bodies = new UnverifiedBodies(100, 60)
  const gate = Promise.withResolvers<void>()
  const first = bodies.run('a', async (keep) => {
    keep(40)
    keep(20)
    await gate.promise
  })
  await expect(bodies.run('a', async (keep) => keep(1))).rejects.toEqual(busy)
  expect(await bodies.run('b', async (keep) => keep(40))).toBeUndefined()
  await expect(
    bodies.run('b', async (keep) => {
      keep(30)
      throw new Error('cut')
    }),
  ).rejects.toThrow('cut')
  expect(bodies.bytes).toBe(60)
  gate.resolve()
  await first
  expect(bodies.bytes).toBe(0)
  await bodies.run('a', async (keep) => keep(60))
})

it('holds so much of all together, whatever channels they name', async () => {
  const bodies = new UnverifiedBodies(100, 60)
  const gate = Promise.withResolvers<void>()
  const waiting = ['a', 'b'].map((channel) =>
    bodies.run(channel, async (keep) => {
      keep(50)
      await gate.promise
    }),
  )
  await expect(bodies.run('c', async (keep) => keep(1))).rejects.toEqual(busy)
  gate.resolve()
  await Promise.all(waiting)
  expect(bodies.bytes).toBe(0)
})
