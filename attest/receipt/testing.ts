/** A receipt for tests to bend. */

import type { ReceiptDetails, ReceiptStatement } from './index.ts'

/** What a short answer cost, and when it was given. */
export const sampleDetails: ReceiptDetails = {
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: 2,
  reasoningTokens: 0,
  finishReason: 'stop',
  startedAt: 1,
  firstTokenAt: null,
  endedAt: 2,
}

/** A complete answer, without the digest of its details. */
export const sampleStatement: ReceiptStatement = {
  requestId: 'r',
  h: '01'.repeat(32),
  authHash: '02'.repeat(32),
  claimsDigest: '03'.repeat(32),
  transcript: '04'.repeat(32),
  model: { id: 'm', sha256: '05'.repeat(32) },
  quoteDigest: '06'.repeat(32),
  clientCharge: '10',
  workerCharge: '9',
  status: 'complete',
  tee: 'simulated-tdx',
  payerKind: 'gateway',
  issuedAt: 5,
}
