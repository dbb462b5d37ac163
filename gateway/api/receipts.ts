import type { Hono } from 'hono'
import { toBase64Url } from '../../attest/bytes.ts'
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
    return c.json(describeReceipt(stored, deps.proofs))
  })
}

/**
 * A stored receipt as clients get it. With `quote` (the price list that the receipt names) whoever paid proves what the
 * charge was made of; with `details` and `blind`, which are there for recent requests, recomputes it to the nanoton.
 */
export function describeReceipt(stored: StoredReceipt, proofs: ApiDeps['proofs']) {
  const quote = proofs?.quote(quoteDigestOf(stored))
  const counts = proofs?.counts(stored.requestId)
  return {
    id: stored.requestId,
    object: 'receipt' as const,
    receipt: stored.receipt,
    digest: stored.digest,
    // The ledger names a worker by its signing key and the channel that pays it: KEY/CHANNEL.
    signing_key: stored.signingKey.split('/', 1)[0],
    charged: stored.charged.toString(),
    ...(quote && { quote: toBase64Url(quote) }),
    ...(counts && { details: toBase64Url(counts.details), blind: toBase64Url(counts.blind) }),
  }
}

/** What is in the ledger was verified before it got there. */
function quoteDigestOf({ receipt }: StoredReceipt): string {
  try {
    const { quoteDigest } = JSON.parse(Buffer.from(receipt.payload, 'base64url').toString()) as {
      quoteDigest: string
    }
    return quoteDigest
  } catch {
    return ''
  }
}
