/**
 * How many vouchers one core checks in a second: ours (hash laid out by hand, node:crypto with a kept KeyObject), the
 * bare crypto.verify, and @ton/core with @ton/crypto, in one run so that the ratios hold on any machine.
 *
 *   node contracts/bench/voucher.ts
 */

import { verify } from 'node:crypto'
import { Address, beginCell } from '@ton/core'
import { signVerify } from '@ton/crypto'
import {
  generateKey,
  publicKeyObject,
  rawPublicKey,
  signVoucher,
  verifyVoucher,
  voucherHash,
} from '../index.ts'

const ROUNDS = 5
const SLICE_MS = 300

const key = generateKey()
const raw = rawPublicKey(key)
const kept = publicKeyObject(raw)
const channel = new Address(0, Buffer.alloc(32, 7))
const vouchers = Array.from({ length: 64 }, (_, i) => {
  const terms = { globalId: -217, channel, ceiling: 1_000_000_000n + BigInt(i) }
  return { terms, hash: voucherHash(terms), signature: signVoucher(key, terms) }
})
type Prepared = (typeof vouchers)[number]

const contestants: Record<string, (voucher: Prepared) => boolean> = {
  'chrysalis: hash and verify': ({ terms, signature }) => verifyVoucher(kept, terms, signature),
  'node:crypto verify alone': ({ hash, signature }) => verify(null, hash, kept, signature),
  'chrysalis, key parsed each time': ({ terms, signature }) => verifyVoucher(raw, terms, signature),
  '@ton/core hash, @ton/crypto verify': ({ terms, signature }) => {
    const cell = beginCell()
      .storeUint(0x43485956, 32)
      .storeInt(terms.globalId, 32)
      .storeAddress(terms.channel)
      .storeCoins(terms.ceiling)
      .endCell()
    return signVerify(cell.hash(), signature, raw)
  },
}

/** Checks per second of CPU time: other work on the machine does not count against anyone. */
function rate(check: (voucher: Prepared) => boolean): number {
  const started = process.cpuUsage()
  let done = 0
  for (;;) {
    const voucher = vouchers[done % vouchers.length] as Prepared
    if (!check(voucher)) throw new Error('a good voucher was refused')
    done++
    const { user, system } = process.cpuUsage(started)
    if (user + system > SLICE_MS * 1000) return (done / (user + system)) * 1e6
  }
}

const best = new Map<string, number>()
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, check] of Object.entries(contestants)) {
    best.set(name, Math.max(best.get(name) ?? 0, rate(check)))
  }
}
const ours = best.get('chrysalis: hash and verify') ?? 1
process.stdout.write('| verifier | vouchers per CPU-second | chrysalis / this |\n|---|---|---|\n')
for (const [name, value] of best) {
  process.stdout.write(`| ${name} | ${Math.round(value)} | ${(ours / value).toFixed(2)} |\n`)
}
const share = ours / (best.get('node:crypto verify alone') ?? Number.POSITIVE_INFINITY)
process.stdout.write(
  `\ngoal: at least 0.9 of a bare crypto.verify: ${share.toFixed(2)}, ${share >= 0.9 ? 'met' : 'missed'}\n`,
)
