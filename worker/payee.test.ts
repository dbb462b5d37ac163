import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rawPublicKey, Wallet } from '../contracts/index.ts'
import { openPayee } from './payee.ts'

const chain = { globalId: -217 }
const payoutAddress = `0:${'22'.repeat(32)}`
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrysalis-payee-'))
  await mkdir(join(folder, 'keys'), { mode: 0o700 })
})
afterEach(() => rm(folder, { recursive: true }))

test('a channel that pays an address of the owner is released by a key of the worker, the same at each start', async () => {
  const first = await openPayee({ payoutAddress }, folder, chain)
  expect(first).toMatchObject({ address: payoutAddress, releaseKey: { type: 'private' } })
  expect(first?.wallet).toBeUndefined()
  const again = await openPayee({ payoutAddress }, folder, chain)
  expect(publicHex(again)).toBe(publicHex(first))
})

test('one that pays the worker’s own wallet, by the key of that', async () => {
  const payee = await openPayee({}, folder, chain)
  expect(payee?.wallet?.address.toRawString()).toBe(payee?.address)
  expect(publicHex(payee)).toBe(payee?.wallet && Buffer.from(rawPublicKey(payee.wallet.key)).toString('hex'))
})

test('a release key that others can read is refused', async () => {
  await openPayee({ payoutAddress }, folder, chain)
  await chmod(join(folder, 'keys', 'release.key'), 0o644)
  await expect(openPayee({ payoutAddress }, folder, chain)).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_WALLET_FILE' }),
  )
})

test('without a chain nobody pays, and no key is made', async () => {
  expect(await openPayee({ payoutAddress }, folder, undefined)).toEqual({ address: payoutAddress })
  expect(await openPayee({}, folder, undefined)).toBeUndefined()
})

test('an owner goes without an address that is paid directly', async () => {
  const ownerAddress = Wallet.fromSeed(new Uint8Array(32), chain.globalId).address.toString()
  await expect(openPayee({ payoutAddress, ownerAddress }, folder, chain)).rejects.toThrow(/ownerAddress/)
})

function publicHex(payee: Awaited<ReturnType<typeof openPayee>>): string | undefined {
  return payee?.releaseKey && Buffer.from(rawPublicKey(payee.releaseKey)).toString('hex')
}
