import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PATHS } from '../../worker/protocol/index.ts'
import { fuzzBodies } from './bodies.ts'
import { GOOD } from './seeds.ts'
import { fuzzSockets } from './sockets.ts'

const SEED = 3

it('no body is answered with anything but a success or a refusal', async () => {
  const { crashes, statuses } = await fuzzBodies({ bodies: 3000, seed: SEED })
  expect(crashes).toEqual([])
  // Neither is everything refused at the door.
  for (const status of [200, 400]) expect(statuses.get(status)).toBeGreaterThan(100)
})

it('no connection breaks the server, gets a 5xx or is left over', async () => {
  const { crashes, statuses } = await fuzzSockets({ connections: 400, seed: SEED })
  expect(crashes).toEqual([])
  for (const status of [200, 400, 408]) expect(statuses.get(status) ?? 0, String(status)).toBeGreaterThan(0)
})

it('every path that a worker answers has a good request to begin with', () => {
  for (const path of Object.keys(PATHS) as (keyof typeof PATHS)[]) {
    const json = GOOD.find(([each]) => each === path)?.[1]
    expect(() => PATHS[path]({ model: 'm', ...json })).not.toThrow()
  }
})

it('a million bodies are on record, without a crash', () => {
  const record = readFileSync(new URL('./README.md', import.meta.url), 'utf8')
  const [, sent, crashes] = /^\| bodies \| (\d+) \|.*\| (\d+) \|$/m.exec(record) ?? []
  expect([Number(sent) >= 1_000_000, crashes]).toEqual([true, '0'])
})
