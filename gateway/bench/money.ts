/** `npm run bench:money`: what money costs in time, vouchers and the ledger, one after the other. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PARTS = [
  { title: 'Vouchers, checked', script: '../../contracts/bench/voucher.ts' },
  { title: 'Charges, durable', script: './ledger.ts' },
]

for (const { title, script } of PARTS) {
  process.stdout.write(`\n${title}\n\n`)
  const file = fileURLToPath(new URL(script, import.meta.url))
  const { status } = spawnSync(process.execPath, [file], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
