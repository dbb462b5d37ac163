import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Chain, MessageSender } from '../../contracts/index.ts'
import { generateKey, rawPublicKey } from '../../contracts/index.ts'
import { plannedBefore } from './channel.ts'
import { type ChannelRecord, SidecarFolder } from './folder.ts'

const addressOf = (byte: number) => new Address(0, Buffer.alloc(32, byte))
const terms = {
  payee: addressOf(2),
  payeeKey: rawPublicKey(generateKey()),
  ...{ challengeSeconds: 3600, minDeposit: 1n },
}
const on = { chain: { globalId: -3 } as Chain, wallet: { address: addressOf(1) } as MessageSender }

let dir: string
let folder: SidecarFolder
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-planned-'))
  folder = await SidecarFolder.open(dir)
})
afterEach(() => {
  folder.close()
  rmSync(dir, { recursive: true })
})

/** A channel that was planned and not opened, as these terms have it unless `changed`. */
async function plan(changed: Partial<ChannelRecord['params']> = {}, globalId = on.chain.globalId) {
  const key = generateKey()
  const params = {
    ...{ payer: on.wallet.address, payee: terms.payee, payeeKey: terms.payeeKey },
    ...{ challengeSeconds: 3600, openUntil: 2_000_000_000, salt: Buffer.alloc(32, 7) },
    voucherKey: rawPublicKey(key),
    ...changed,
  }
  return await folder.add({ gateway: 'https://gateway.example', globalId, params, slice: 1n }, key)
}

it('goes on with channels of this payer to this payee on this network alone', async () => {
  const mine = await plan()
  await plan({ payer: addressOf(9) })
  await plan({ payee: addressOf(9) })
  await plan({ payeeKey: rawPublicKey(generateKey()) })
  await plan({}, -239)
  const found = await plannedBefore({ folder, ...on }, terms)
  expect(found.map(({ address }) => address)).toEqual([mine.address])
})

it('never takes a channel whose vouchers somebody else signs for one of those that are signed here', async () => {
  const mine = await plan()
  const params = { ...mine.record.params, salt: Buffer.alloc(32, 8) }
  const secrets = { owner: Buffer.alloc(32, 4), apiKey: `sk-chry-${'A'.repeat(43)}` }
  const theirs = await folder.addOwned({ ...mine.record, params }, secrets)
  const named = async (signer?: 'gateway') =>
    (await plannedBefore({ folder, ...on }, terms, signer)).map(({ address }) => address)
  expect(await named()).toEqual([mine.address])
  expect(await named('gateway')).toEqual([theirs.address])
})
