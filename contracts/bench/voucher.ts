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

const OURS = 'chrysalis: hash and verify'
const BARE = 'node:crypto verify alone'
const PARSED = 'chrysalis, key parsed each time'
const TON = '@ton/core hash, @ton/crypto verify'
type Name = typeof OURS | typeof BARE | typeof PARSED | typeof TON

const key = generateKey()
const raw = rawPublicKey(key)
const kept = publicKeyObject(raw)
const channel = new Address(0, Buffer.alloc(32, 7))
const vouchers = Array.from({ length: 64 }, (_, i) => {
  const terms = { globalId: -217, channel, ceiling: 1_000_000_000n + BigInt(i) }
  return { terms, hash: voucherHash(terms), signature: signVoucher(key, terms) }
})
type Prepared = (typeof vouchers)[number]

const contestants: Record<Name, (voucher: Prepared) => boolean> = {
  [OURS]: ({ terms, signature }) => verifyVoucher(kept, terms, signature),
  [BARE]: ({ hash, signature }) => verify(null, hash, kept, signature),
  [PARSED]: ({ terms, signature }) => verifyVoucher(raw, terms, signature),
  [TON]: ({ terms, signature }) => {
    const cell = beginCell()
      .storeUint(0x43485956, 32)
      .storeInt(terms.globalId, 32)
      .storeAddress(terms.channel)
      .storeCoins(terms.ceiling)
      .endCell()
    return signVerify(cell.hash(), signature, raw)
  },
}

/** CPU microseconds for one check of every voucher: other work on the machine does not count against anyone. */
function turn(check: (voucher: Prepared) => boolean): number {
  const started = process.cpuUsage()
  for (const voucher of vouchers) if (!check(voucher)) throw new Error('a good voucher was refused')
  const { user, system } = process.cpuUsage(started)
  return user + system
}

/**
 * Checks per second of CPU time, of each one's best turn. Turns are short and alternate: a core whose speed changes
 * meanwhile changes it for all.
 */
function rates(names: readonly Name[], turns: number): [name: Name, rate: number][] {
  const best = names.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < turns; round++) {
    for (const [index, name] of names.entries()) {
      best[index] = Math.min(best[index] ?? 0, turn(contestants[name]))
    }
  }
  return names.map((name, index) => [name, (vouchers.length * 1e6) / (best[index] ?? 0)])
}

// Those whose garbage would be collected at the others' expense have a go of their own.
const measured = [...rates([OURS, BARE], 60), ...rates([PARSED], 20), ...rates([TON], 20)]
const rateOf = (wanted: Name) => measured.find(([name]) => name === wanted)?.[1] ?? Number.NaN
const ours = rateOf(OURS)
process.stdout.write('| verifier | vouchers per CPU-second | chrysalis / this |\n|---|---|---|\n')
for (const [name, value] of measured) {
  process.stdout.write(`| ${name} | ${Math.round(value)} | ${(ours / value).toFixed(2)} |\n`)
}
const share = ours / rateOf(BARE)
process.stdout.write(
  `\ngoal: at least 0.9 of a bare crypto.verify: ${share.toFixed(2)}, ${share >= 0.9 ? 'met' : 'missed'}\n`,
)
