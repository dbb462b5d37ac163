import type { Transaction } from '@ton/core'

/**
 * Puts transactions in order, newest first, and keeps those that hang together by their hashes from (lt, hash) down:
 * as the newest one's hash is known from the agreed state, no provider can invent, change or leave out one of them.
 * @returns undefined when the newest is missing, or a later link is broken
 */
export function chained(
  transactions: Transaction[],
  from: { lt: bigint; hash: string },
): Transaction[] | undefined {
  const sorted = transactions.toSorted((a, b) => (a.lt < b.lt ? 1 : a.lt > b.lt ? -1 : 0))
  let { lt } = from
  let hash = BigInt(`0x${Buffer.from(from.hash, 'base64').toString('hex') || '0'}`)
  for (const transaction of sorted) {
    const own = BigInt(`0x${transaction.hash().toString('hex')}`)
    if (transaction.lt !== lt || own !== hash) return undefined
    lt = transaction.prevTransactionLt
    hash = transaction.prevTransactionHash
  }
  return sorted.length > 0 ? sorted : undefined
}
