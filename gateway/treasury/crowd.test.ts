/** Many channels that nobody uses, on a chain where a look takes its time: they hold up nobody who does. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { codeOf } from '../../attest/cli/process.ts'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import { ContractsError } from '../../contracts/index.ts'
import { Treasury, whileSeen } from './index.ts'
import { type ClientChannel, openClientChannel } from './testing/client-channel.ts'
import { useLocalNode } from './testing/node.ts'
import { type Stand, setUp } from './testing/stand.ts'

const CROWD = 40
/** Of one look, ms: all together take longer than a channel is served without one. */
const LOOK_MS = 30_000
const OUTAGE_SECONDS = 900

let node: LocalNode
let stand: Stand
let used: ClientChannel
let late: ClientChannel
let clock: number
/** Channels that were looked at, oldest look first. */
let looks: string[]
/** Channels that the providers cannot agree on, as when somebody keeps sending to them. */
let unreadable: Set<string>
let treasury: Treasury

useLocalNode((opened) => {
  node = opened
})
beforeAll(async () => {
  stand = await setUp(node)
  await stand.treasury.setup()
  for (let n = 0; n < CROWD; n++) await openClientChannel(stand)
  used = await openClientChannel(stand)
  late = await openClientChannel(stand)
  await used.voucher(5_000_000_000n)
  await late.voucher(5_000_000_000n)
  clock = 0
  looks = []
  unreadable = new Set()
  const { instant: _, ...chain } = stand.chain
  treasury = new Treasury({
    ...stand,
    chain: {
      ...chain,
      account: async (address) => {
        const id = address.toRawString()
        if ((await stand.ledger.channelState(id))?.signer === 'client') {
          clock += LOOK_MS
          looks.push(id)
          if (unreadable.has(id)) throw new ContractsError('ERR_CHAIN_DISAGREEMENT', 'they keep differing')
        }
        return await chain.account(address)
      },
    },
    terms: { lookSeconds: 60, outageSeconds: OUTAGE_SECONDS },
    monotonic: () => clock,
  })
}, 60_000)
afterAll(() => stand.end())

let requests = 0
const hold = async ({ id }: ClientChannel, maxCharge = 10_000_000n) => {
  const { id: key } = await stand.ledger.keys.accountOf(id)
  const worker = { id: 'w', bootId: 'b' }
  const request = { requestId: `crowd-${requests++}`, channel: id, key, worker, maxCharge }
  const { durable } = await whileSeen(stand.ledger, treasury).hold(request)
  await durable
}

it('a start does not wait for them', async () => {
  await treasury.setup()
  expect(looks).toEqual([])
})

it('one that is used is seen and served, however many are not; so is one that comes back after a long time', async () => {
  await hold(used)
  expect(looks).toEqual([used.id])
  for (const end = clock + 4 * OUTAGE_SECONDS * 1000; clock < end; ) {
    const before = clock
    await treasury.lookAtDue()
    if (clock === before) clock += 5_000
    await hold(used, 1n)
  }
  const waits = gaps(used.id)
  // By the looks that were due for it, and never for want of one.
  expect(Math.max(...waits)).toBeLessThan(OUTAGE_SECONDS)
  await hold(late, 1n)
  expect(new Set(looks).size).toBe(CROWD + 2)
})

it('of many that come back at once a few are looked for, and nobody else’s slot waits for the rest', async () => {
  clock += 10 * OUTAGE_SECONDS * 1000
  await treasury.lookAtDue()
  const idle = (await stand.ledger.channels()).filter(
    ({ id, signer, reserved }) => signer === 'client' && reserved === 0n && !looks.slice(-8).includes(id),
  )
  looks = []
  const asked = idle.slice(0, 20).map(({ id }) => treasury.demandSeen(id).then(() => 'seen', codeOf))
  const came = await Promise.all(asked)
  expect([came.filter((each) => each === 'seen').length, looks.length]).toEqual([4, 4])
  expect(new Set(came)).toEqual(new Set(['seen', 'ERR_CHAIN_OUTAGE']))
})

it('those that cannot be read hold up nobody either', async () => {
  const { id: mine } = used
  for (const { id, signer } of await stand.ledger.channels())
    if (signer === 'client' && id !== mine) unreadable.add(id)
  looks = []
  for (const end = clock + 2 * OUTAGE_SECONDS * 1000; clock < end; ) {
    const before = clock
    await treasury.lookAtDue()
    if (clock === before) clock += 5_000
  }
  expect(Math.max(...gaps(mine))).toBeLessThan(OUTAGE_SECONDS)
  await expect(hold(late, 1n)).rejects.toThrow(expect.objectContaining({ code: 'ERR_CHAIN_OUTAGE' }))
  await hold(used, 1n)
})

it('where there is nobody else, one of them a minute shows whether the chain is there', async () => {
  const alone = await setUp(node)
  const { id } = await openClientChannel(alone)
  await openClientChannel(alone)
  let time = 0
  const seen: string[] = []
  const { instant: _, fund: __, ...chain } = alone.chain
  const bare = new Treasury({
    ...alone,
    chain: {
      ...chain,
      account: async (address) => {
        seen.push(address.toRawString())
        return await chain.account(address)
      },
    },
    terms: { lookSeconds: 60 },
    monotonic: () => time,
  })
  // Nobody has paid for a channel of its own.
  await expect(bare.setup()).rejects.toThrow(expect.objectContaining({ code: 'ERR_TREASURY_FUNDS' }))
  expect(bare.blind).toBe(true)
  seen.length = 0
  await bare.lookAtDue()
  // Each once, as there is time: two, and the plan that nobody has paid for.
  expect([bare.blind, seen.length]).toEqual([false, 3])
  await bare.demandSeen(id)
  seen.length = 0
  for (time = 5_000; time <= 600_000; time += 5_000) await bare.lookAtDue()
  expect(seen.length).toBe(10)
  await alone.end()
})

/** Seconds between the looks at a channel. */
function gaps(id: string): number[] {
  const at = looks.flatMap((each, index) => (each === id ? [index] : []))
  return at.map((index, n) => ((index - (at[n - 1] ?? 0)) * LOOK_MS) / 1000)
}
