import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { judge } from './judge.ts'
import { CANARY } from './routes.ts'
import { fire, type RunOptions, tell } from './run.ts'
import { fuzzSockets } from './sockets.ts'
import { openFace, openNetwork } from './stands.ts'

const options: RunOptions = { seed: 3, from: 0, to: 5000, connections: 8, pipelined: 16 }

it('the face answers what is right and refuses the rest, in the right shape, and keeps nothing', async () => {
  await using stand = await openFace()
  const { defects, faults, statuses, kinds } = await fire(stand, options)
  expect([defects.map(tell), faults]).toEqual([[], []])
  // Neither is everything refused at the door.
  for (const status of [200, 400, 401, 403, 404, 405, 413, 415])
    expect(statuses.get(status), String(status)).toBeGreaterThan(0)
  expect(kinds.size).toBe(13)
})

it('so does a whole network', async () => {
  await using stand = await openNetwork()
  const { defects, faults, statuses } = await fire(stand, { ...options, to: 300 })
  expect([defects.map(tell), faults]).toEqual([[], []])
  for (const status of [200, 400]) expect(statuses.get(status)).toBeGreaterThan(20)
})

it('no connection breaks the server, gets a 5xx or is left over', async () => {
  const { crashes, statuses } = await fuzzSockets({ connections: 400, seed: options.seed })
  expect(crashes).toEqual([])
  for (const status of [200, 400, 408]) expect(statuses.get(status) ?? 0, String(status)).toBeGreaterThan(0)
})

const error = { message: 'm', type: 't', param: null, code: null }
const answer = (status: number, document: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers: new Map(Object.entries({ 'x-request-id': 'r', 'content-type': 'application/json', ...headers })),
  body: typeof document === 'string' ? document : JSON.stringify(document),
})

it.each([
  ['a status of 5xx', answer(500, { error })],
  ['what was sent, in an error', answer(400, { error: { ...error, message: CANARY } })],
  ['what was sent, in a header', answer(200, {}, { 'x-a': CANARY })],
  ['a long name', answer(400, { error: { ...error, message: `Unknown parameter: '${'n'.repeat(70)}'.` } })],
  ['an error of three keys', answer(400, { error: { message: 'm', type: 't', param: null } })],
  ['an error of five keys', answer(400, { error: { ...error, more: 1 } })],
  ['more than an error', answer(400, { error, more: 1 })],
  ['an unknown field without its name', answer(400, { error: { ...error, code: 'unknown_parameter' } })],
  ['a long message', answer(400, { error: { ...error, message: 'm'.repeat(2000) } })],
  ['an error that is no JSON', answer(400, 'no')],
  ['an error that says to be text', answer(400, { error }, { 'content-type': 'text/plain' })],
  ["another face's error", answer(400, { message: 'm' })],
  ['405 without allow', answer(405, { error })],
  ['no request id', { ...answer(200, {}), headers: new Map() }],
])('the judge finds %s', (_what, given) => {
  expect(judge(answer(400, { error }), 'POST', ['openai'])).toBeUndefined()
  expect(judge(given, 'POST', ['openai'])).toBeTypeOf('string')
})

it('a million requests to the face are on record, without a defect', () => {
  const record = readFileSync(new URL('./README.md', import.meta.url), 'utf8')
  const rows = [...record.matchAll(/^\| (face|network|connections)\b.*? \| (\d+) \|.*\| (\d+) \|$/gm)]
  const sent = (name: string) =>
    rows.filter((row) => row[1] === name).reduce((sum, row) => sum + Number(row[2]), 0)
  expect(sent('face')).toBeGreaterThanOrEqual(1_000_000)
  expect(sent('network')).toBeGreaterThanOrEqual(20_000)
  for (const [row, , , defects] of rows) expect(defects, row).toBe('0')
})
