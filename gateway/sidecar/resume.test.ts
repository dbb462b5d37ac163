/** Starts after losses: of the sidecar's state, of an old copy of it, of the gateway's books. */

import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SLICE, Stand } from './testing/stand.ts'

const FILES = ['', '-wal', '-shm']

/** Chats so often, each proven. */
async function chats(stand: Stand, count: number): Promise<void> {
  const before = stand.sidecar.state.verified
  for (let i = 1; i <= count; i++) await stand.chat()
  await stand.until(() => stand.sidecar.state.verified === before + BigInt(25 * count))
}

async function stateFile(stand: Stand): Promise<string> {
  return (await stand.folder.channel()).stateFile
}

async function lose(stand: Stand): Promise<void> {
  await stand.stop()
  const file = await stateFile(stand)
  for (const end of FILES) rmSync(file + end, { force: true })
}

describe('a sidecar that starts again', () => {
  it('goes on from where it was', async () => {
    await using stand = await Stand.open()
    await chats(stand, 3)
    await stand.stop()
    await stand.start()
    await chats(stand, 3)
    expect(stand.gateway.charged).toBe(150n)
  })

  it('without its state: believes what lies a slice below its own voucher, and proves the rest', async () => {
    await using stand = await Stand.open()
    await chats(stand, 60)
    const { ceiling } = stand.gateway
    await lose(stand)
    // The worker of the first requests is gone: nothing proves their receipts any more.
    const vouched = ceiling - SLICE
    let total = 0n
    for (const invoice of stand.gateway.invoices) {
      total += BigInt(invoice.charged)
      if (total <= vouched) invoice.signing_key = '22'.repeat(32)
    }
    expect(vouched).toBeGreaterThan(0n)
    await stand.start()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 61n * 25n)
    expect(stand.sidecar.state.halted).toBeUndefined()
    expect(stand.sidecar.state.ceiling).toBeGreaterThanOrEqual(ceiling)
  })

  it('without its state, and with a charge for a request that was never made: stops', async () => {
    await using stand = await Stand.open()
    await chats(stand, 2)
    await lose(stand)
    stand.gateway.chargeFor('cd'.repeat(16))
    await stand.start()
    await stand.until(() => stand.sidecar.state.halted !== undefined)
    expect(stand.sidecar.state.halted?.code).toBe('ERR_RECEIPT_FOREIGN')
  })

  it('with an old copy of its state: takes over its own higher voucher and counts what it forgot', async () => {
    await using stand = await Stand.open()
    await chats(stand, 1)
    await stand.stop()
    const file = await stateFile(stand)
    const present = FILES.filter((end) => existsSync(file + end))
    for (const end of present) copyFileSync(file + end, `${file}.old${end}`)
    await stand.start()
    await chats(stand, 40)
    const { ceiling } = stand.gateway
    await lose(stand)
    for (const end of present) copyFileSync(`${file}.old${end}`, file + end)
    await stand.start()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 42n * 25n)
    expect(stand.sidecar.state.ceiling).toBeGreaterThanOrEqual(ceiling)
    expect(stand.sidecar.state.halted).toBeUndefined()
  })

  it('before a gateway whose books were put back: stops', async () => {
    await using stand = await Stand.open()
    await chats(stand, 3)
    await stand.stop()
    stand.gateway.charged = 50n
    stand.gateway.invoices.pop()
    await stand.start()
    await stand.until(() => stand.sidecar.state.halted !== undefined)
    expect(stand.sidecar.state.halted?.code).toBe('ERR_ROLLED_BACK')
  })

  it('before a gateway that has lost its books: stops', async () => {
    await using stand = await Stand.open()
    await chats(stand, 3)
    await stand.stop()
    stand.gateway.known = false
    await stand.start()
    await stand.until(() => stand.sidecar.state.halted !== undefined)
    expect(stand.sidecar.state.halted?.code).toBe('ERR_ROLLED_BACK')
  })

  it('counts what was charged while it was away', async () => {
    await using stand = await Stand.open()
    await chats(stand, 1)
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    stand.gateway.gate = gate.promise
    stand.gateway.onHead = (headers) => {
      if ('content-length' in headers) begun.resolve()
    }
    const chat = stand.chat().catch(() => {})
    await begun.promise
    await stand.stop()
    await chat
    gate.resolve()
    await stand.gateway.until(() => stand.gateway.invoices.length === 2)
    await stand.start()
    await stand.until(() => stand.sidecar.state.verified === stand.gateway.charged)
    expect(stand.sidecar.state.open()).toEqual([])
  })
})
