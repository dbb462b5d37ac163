import { cpSync, globSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { channelStatus, earningsOf, payFor, workerChannel } from './money.ts'
import { cleanUp, type Stack, startStack, temporaryFolder } from './stack.ts'

const GATEWAY = 'gateway/ledger.sqlite'
const WORKER = 'worker/receipts.sqlite'

/** Moves a database with its log from one data folder to another, where nothing else of it stays. */
function restore(name: string, from: string, to: string): void {
  for (const file of globSync(`${name}*`, { cwd: to })) rmSync(join(to, file))
  for (const file of globSync(`${name}*`, { cwd: from })) cpSync(join(from, file), join(to, file))
}

/** Resolves when the processes have said so. */
async function logged(stack: Stack, text: string): Promise<void> {
  while (!stack.log().includes(text)) {
    await new Promise((resolve) => stack.child.stderr?.once('data', resolve))
  }
}

let dir: string
let copy: string
beforeAll(async () => {
  dir = await temporaryFolder()
  copy = await temporaryFolder()
  const first = await startStack({ dir })
  await payFor(first, 'Hello')
  await first.stop()
  for (const folder of ['gateway', 'worker']) mkdirSync(join(copy, folder))
  for (const name of [GATEWAY, WORKER]) restore(name, dir, copy)
  const second = await startStack({ dir })
  for (const content of ['Thank you', 'Good morning']) await payFor(second, content)
  await second.stop()
})
afterAll(cleanUp)

describe('an older copy of a data folder is put back', () => {
  it("of the worker's: it adopts what was paid meanwhile, and works on", async () => {
    restore(WORKER, copy, dir)
    const stack = await startStack({ dir })
    await logged(stack, 'ERR_EARNINGS_BEHIND')
    await payFor(stack, 'Hello')
    const { charged, ceiling } = workerChannel(await channelStatus(stack))
    expect((await earningsOf(stack)).total).toMatchObject({
      requests: 2,
      earned: charged,
      vouchered: ceiling,
    })
    await stack.stop()
  })

  it("of the gateway's: its worker's voucher proves it, the channel is frozen, and nothing is sold twice", async () => {
    restore(GATEWAY, copy, dir)
    const stack = await startStack({ dir })
    await logged(stack, "a worker's voucher does not fit the ledger")
    await logged(stack, 'the gateway refused this worker')
    expect(workerChannel(await channelStatus(stack)).frozen).toMatch(/older than its own signature/)
    const body = { model: 'chrysalis/tiny', messages: [{ role: 'user', content: 'Hello' }] }
    expect((await stack.post('/v1/chat/completions', body)).status).toBe(503)
    expect((await fetch(`${stack.origin}/readyz`)).status).toBe(503)
    await stack.stop()
  })
})
