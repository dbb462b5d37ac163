import { expect, test } from 'vitest'
import { StatusReporter, type WorkerStatus } from './status.ts'
import { Harness } from './testing/harness.ts'
import { ManualClock } from './testing/manual-clock.ts'

const receipt = { payload: '', signature: '' }
const kept = (requestId: string, workerCharge: bigint, final = false) => ({
  requestId,
  receipt,
  final,
  workerCharge,
  interrupted: false,
})

test('tells of each change of state at once, and of receipts once a second, each charge counted once', () => {
  const told: WorkerStatus[] = []
  const clock = new ManualClock()
  const status = new StatusReporter((line) => told.push(line), clock)
  expect(told.pop()).toEqual({
    event: 'status',
    state: 'starting',
    bootId: null,
    models: [],
    epoch: null,
    receipts: 0,
    earned: '0',
  })
  status.describe({ bootId: 'b', models: ['m'], epoch: () => 'e' })
  status.joining()
  status.ready()
  expect(told.splice(0)).toMatchObject([
    { state: 'joining', bootId: 'b', models: ['m'], epoch: 'e' },
    { state: 'ready' },
  ])
  for (const [charge, final] of [
    [3n, false],
    [7n, false],
    [9n, true],
  ] as const) {
    status.kept(kept('one', charge, final))
  }
  status.kept(kept('two', 5n))
  status.kept(kept('refused', 0n, true))
  expect(told).toEqual([])
  clock.advance(1_000)
  expect(told.splice(0)).toMatchObject([{ state: 'ready', receipts: 1, earned: '14' }])
  clock.advance(10_000)
  expect(told).toEqual([])
})

test('a gateway that does not pay is a state of its own, from the first join to the voucher', () => {
  const told: WorkerStatus[] = []
  const status = new StatusReporter((line) => told.push(line), new ManualClock())
  status.joining()
  status.standing({ obstacle: 'ERR_DEPOSIT_SPENT', owed: 0n })
  expect(told.splice(0).map(({ state }) => state)).toEqual(['starting', 'joining'])
  status.ready()
  status.standing({ obstacle: 'ERR_CREDIT_LIMIT', owed: 1001n })
  status.standing({ obstacle: undefined, owed: 0n })
  status.standing({ obstacle: 'ERR_CREDIT_LIMIT', owed: 1002n })
  status.draining()
  status.standing({ obstacle: undefined, owed: 0n })
  const unpaid = (code: string, owed: string) => expect.objectContaining({ state: 'unpaid', code, owed })
  const plain = expect.not.objectContaining({ code: expect.anything(), owed: expect.anything() })
  expect(told.map(({ state }) => state)).toEqual(['unpaid', 'unpaid', 'ready', 'unpaid', 'draining'])
  expect(told).toEqual([
    unpaid('ERR_DEPOSIT_SPENT', '0'),
    unpaid('ERR_CREDIT_LIMIT', '1001'),
    plain,
    unpaid('ERR_CREDIT_LIMIT', '1002'),
    plain,
  ])
})

test('a refusal stands until the next attempt, and a worker that goes says nothing else', () => {
  const told: WorkerStatus[] = []
  const status = new StatusReporter((line) => told.push(line), new ManualClock())
  told.length = 0
  status.refused({ by: 'gateway', code: 'evidence', factors: ['td.debug'], reason: 'words' })
  status.lost('peer_closed')
  status.joining()
  status.lost('socket_error')
  status.draining()
  status.lost('going_away')
  status.stopped()
  status.ready()
  const { event, bootId, models, epoch, receipts, earned, ...refusal } = told[0] as WorkerStatus
  expect(refusal).toEqual({
    state: 'refused',
    by: 'gateway',
    code: 'evidence',
    factors: ['td.debug'],
    reason: 'words',
  })
  expect(told.map(({ state, code }) => [state, code])).toEqual([
    ['refused', 'evidence'],
    ['joining', undefined],
    ['lost', 'socket_error'],
    ['draining', undefined],
    ['stopped', undefined],
  ])
})

test('the link tells who refused whom, and what failed', async () => {
  const refusals: unknown[] = []
  const dials: number[] = []
  await using harness = await Harness.open({
    link: { onRefused: (refusal) => refusals.push(refusal), onDial: () => dials.push(1) },
  })
  harness.gateway.forge = (claims) => ({ ...claims, role: 'worker' })
  harness.link.start()
  const peer = await harness.gateway.connection()
  await expect(peer.welcome()).rejects.toThrow('4403')
  expect(refusals).toEqual([
    {
      by: 'worker',
      code: 'ERR_GATEWAY_EVIDENCE',
      factors: ['role.expected'],
      reason: 'the evidence of the gateway does not meet the policy',
    },
  ])

  harness.clock.advance(1_000)
  const again = await harness.gateway.connection()
  again.challenge()
  await again.next('join')
  again.send({ type: 'refused', code: 'evidence', factors: ['td.debug'], reason: 'no\u0007t so' })
  await again.next('closed')
  expect(refusals[1]).toEqual({ by: 'gateway', code: 'evidence', factors: ['td.debug'], reason: 'no?t so' })
  expect(dials).toHaveLength(2)
})
