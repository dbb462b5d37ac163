import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { WorkerMessageOf } from '../../worker/protocol/link.ts'
import { HeldIntake } from './held-intake.ts'
import type { SessionHost } from './host.ts'
import type { PoolListener, WorkerHandle } from './types.ts'

const WORKER = { payment: { ledgerChannel: 'c', terms: null } } as WorkerHandle
const voucher = { ceiling: '7', signature: 'AAAA' }

function held(done: boolean, shown?: typeof voucher): WorkerMessageOf<'held'> {
  return { type: 'held', receipts: [], done, ...(shown && { voucher: shown }) }
}

/** An intake whose ledger answers when the test says so, and all that happens around it, in order. */
function stand(checkVoucher: SessionHost['checkVoucher'] = async () => undefined) {
  const seen: string[] = []
  const socket = { gone: false, pause: () => void seen.push('pause'), resume: () => void seen.push('resume') }
  const ledger: PromiseWithResolvers<void>[] = []
  const listener: PoolListener = {
    onCapacity: () => {},
    onLateReceipt: () => {},
    onHeld: (_worker, _receipts, done) => {
      seen.push(done ? 'ledger, last' : 'ledger')
      const commit = Promise.withResolvers<void>()
      ledger.push(commit)
      return commit.promise
    },
  }
  const intake = new HeldIntake({ checkVoucher, listener }, socket, {
    onDone: () => void seen.push('done'),
    onObjection: ({ refused, reason }) => void seen.push(`${refused}: ${reason}`),
    onFault: (error) => void seen.push(`fault: ${(error as Error).message}`),
  })
  return { intake, socket, ledger, seen }
}

describe('receipts that a worker kept', () => {
  it('go to the ledger one message after the other, and nothing is read meanwhile', async () => {
    const { intake, ledger, seen } = stand()
    intake.take(WORKER, held(false))
    intake.take(WORKER, held(true))
    await turn()
    expect(seen).toEqual(['pause', 'pause', 'ledger'])
    ledger[0]?.resolve()
    await turn()
    expect(seen.slice(3)).toEqual(['resume', 'ledger, last'])
    ledger[1]?.resolve()
    await turn()
    expect(seen.slice(5)).toEqual(['resume', 'done'])
  })

  it('come to an end, also while the ledger works on the last of them', () => {
    const { intake } = stand()
    intake.take(WORKER, held(true))
    expect(() => intake.take(WORKER, held(false))).toThrow(
      expect.objectContaining({ closeName: 'unexpected_message' }),
    )
  })

  it('are not looked at when the voucher beside them proves that nothing can be paid', async () => {
    const { intake, seen } = stand(async (_payment, { ceiling }) => `behind ${ceiling}`)
    intake.take(WORKER, held(true, voucher))
    await turn()
    expect(seen).toEqual(['pause', 'resume', 'terms: behind 7'])
  })

  it('end with a fault of ours when the ledger fails', async () => {
    const { intake, ledger, seen } = stand()
    intake.take(WORKER, held(true))
    await turn()
    ledger[0]?.reject(new Error('disk'))
    await turn()
    expect(seen.slice(2)).toEqual(['fault: disk'])
  })

  it('make no worker ready whose link is gone', async () => {
    const { intake, socket, ledger, seen } = stand()
    intake.take(WORKER, held(true))
    await turn()
    socket.gone = true
    ledger[0]?.resolve()
    await turn()
    expect(seen).toEqual(['pause', 'ledger, last'])
  })
})
