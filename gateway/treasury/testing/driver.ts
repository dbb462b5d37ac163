/**
 * Test child: a gateway's treasury against a chain in another process. It sets up, pays a worker, charges and settles,
 * round after round, and tells its parent before each thing that it sends to the chain.
 *
 *   node driver.ts DIR CHAIN_URL TOKEN PAYOUT_ADDRESS
 */

import { join } from 'node:path'
import { connectLocalChain } from '../../../contracts/index.ts'
import { Ledger } from '../../ledger/index.ts'
import { Treasury, TreasuryKeys } from '../index.ts'

const [dir = '', url = '', token = '', payoutAddress = ''] = process.argv.slice(2)
const real = await connectLocalChain({ url, token })
const told = (what: string) => new Promise<void>((resolve) => process.send?.(what, () => resolve()))
const chain = {
  ...real,
  send: async (boc: Uint8Array) => {
    await told('send')
    await real.send(boc)
    await told('sent')
  },
  fund: async (...gift: Parameters<typeof real.fund>) => {
    await told('fund')
    await real.fund(...gift)
    await told('funded')
  },
}
const keys = await TreasuryKeys.open(join(dir, 'keys'), chain.globalId)
const ledger = await Ledger.open({
  file: join(dir, 'ledger.sqlite'),
  now: Date.now,
  signVoucher: (channel, ceiling) => keys.signVoucher(channel, ceiling),
})
const treasury = new Treasury({ chain, keys, ledger })
const client = await treasury.setup()
const workerId = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'
const { ledgerChannel: workerChannel } = await treasury.paymentFor({ payoutAddress, workerId })
const { key } = await ledger.keys.create({ name: 'driver', channel: client.id })
for (let round = 0; ; round++) {
  const requestId = `${process.pid}-${round}`
  const worker = { id: 'w', bootId: 'b' }
  await ledger.reserve({ requestId, channel: client.id, key: key.id, worker, maxCharge: 2000n })
  const receipt = { payload: 'p', signature: 's' }
  const charges = { clientCharge: 1500n, workerCharge: 1000n, workerChannel }
  await ledger.charge({ requestId, ...charges, receipt, receiptDigest: requestId })
  await treasury.settle()
  await told('settled')
}
