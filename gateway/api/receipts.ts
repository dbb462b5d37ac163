import type { Hono } from 'hono'
import { notFound } from '../../worker/protocol/index.ts'
import type { StoredReceipt } from '../ledger/index.ts'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

/**
 * `GET /v1/receipts/{request id}`: the worker enclave's signed receipt, exactly as signed. Only the API
 * key that asked, whatever channel it draws on by now, and keys of the channel that paid see it; to every other key it
 * does not exist.
 */
export function receiptRoutes(app: Hono<Env>, deps: ApiDeps): void {
  app.get('/v1/receipts/:id', async (c) => {
    const id = c.req.param('id')
    const stored = await deps.receipts.receipt(id)
    const { id: key, channel } = c.get('key')
    if (!stored || (stored.key !== key && stored.channel !== channel))
      throw notFound('No receipt of that id was paid for this API key.', 'receipt_not_found', 'id')
    return c.json(describeReceipt(stored))
  })
}

/** A stored receipt as clients get it. */
export function describeReceipt(stored: StoredReceipt) {
  return {
    id: stored.requestId,
    object: 'receipt' as const,
    receipt: stored.receipt,
    digest: stored.digest,
    // The ledger names a worker by its signing key and the channel that pays it: KEY/CHANNEL.
    signing_key: stored.signingKey.split('/', 1)[0],
    charged: stored.charged.toString(),
  }
}
