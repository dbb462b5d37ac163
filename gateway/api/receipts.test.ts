import { afterEach, expect, it } from 'vitest'
import type { StoredReceipt } from '../ledger/index.ts'
import { serveFace, TEST_SECRET } from './testing/face.ts'

const stored: StoredReceipt = {
  requestId: 'req-1',
  channel: 'channel-1',
  key: 'key-1',
  receipt: { payload: 'cGF5', signature: 'c2ln' },
  digest: 'ab'.repeat(32),
  signingKey: `${'cd'.repeat(32)}/worker-channel`,
  charged: 7n,
  earned: 5n,
  chargedAt: 1,
}

let close = async () => {}
afterEach(() => close())

/** Asks for a receipt with key-1, which draws on channel-1. */
async function ask(changes: Partial<StoredReceipt>, id = stored.requestId) {
  const receipt = async (requestId: string) =>
    requestId === stored.requestId ? { ...stored, ...changes } : undefined
  const served = await serveFace(() => Promise.reject(new Error('must not be dispatched')), {
    receipts: { receipt },
  })
  close = served.close
  const response = await fetch(`${served.url}/v1/receipts/${id}`, {
    headers: { authorization: `Bearer ${TEST_SECRET}` },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

it('gives the receipt exactly as signed, and names the signing key alone', async () => {
  expect(await ask({})).toEqual({
    status: 200,
    body: {
      id: 'req-1',
      object: 'receipt',
      receipt: stored.receipt,
      digest: stored.digest,
      signing_key: 'cd'.repeat(32),
      charged: '7',
    },
  })
})

it('gives it to the key that asked, after that key has moved to another channel', async () => {
  expect((await ask({ channel: 'an-older-channel' })).status).toBe(200)
})

it('gives it to another key of the channel that paid', async () => {
  expect((await ask({ key: 'key-2' })).status).toBe(200)
})

it('does not know the receipts of others, nor those that never were', async () => {
  for (const wrong of [await ask({ key: 'key-2', channel: 'channel-2' }), await ask({}, 'req-2')]) {
    expect(wrong).toMatchObject({ status: 404, body: { error: { code: 'receipt_not_found', param: 'id' } } })
  }
})
