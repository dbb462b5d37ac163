import { toBase64 } from '../../attest/bytes.ts'
import type { SessionHost } from './host.ts'
import type { LinkSocket } from './socket.ts'
import type { WorkerHandle, WorkerIdentity, WorkerPayment } from './types.ts'

/** Request ids in one ack message. */
const MOST_ACKS = 1024

/** What the dispatcher may say to a joined worker. */
export function makeHandle(
  session: string,
  identity: WorkerIdentity,
  payment: WorkerPayment,
  host: SessionHost,
  socket: LinkSocket,
): WorkerHandle {
  const settled = new Settled(payment, socket)
  return {
    ...identity,
    session,
    payment,
    acknowledge: (requestIds) => settled.add(requestIds),
    voucher: (ceiling, signature) => settled.raise(ceiling, signature),
    condemn(reason) {
      host.bar(identity.bootId)
      host.log.warn({ session, boot: identity.bootId, code: reason }, 'worker cut off')
      socket.close('refused')
    },
  }
}

/**
 * What a worker is to hear of requests that were settled. One commit of the ledger settles many: they are told of in one
 * message, behind the highest of their vouchers, as soon as all that the commit woke has run.
 */
class Settled {
  readonly #payment: WorkerPayment
  readonly #socket: LinkSocket
  #requestIds: string[] = []
  #voucher: { ceiling: bigint; signature: Uint8Array } | undefined
  #waiting = false

  constructor(payment: WorkerPayment, socket: LinkSocket) {
    this.#payment = payment
    this.#socket = socket
  }

  add(requestIds: readonly string[]): void {
    this.#requestIds.push(...requestIds)
    this.#tellSoon()
  }

  raise(ceiling: bigint, signature: Uint8Array): void {
    if (this.#voucher && ceiling <= this.#voucher.ceiling) return
    this.#voucher = { ceiling, signature }
    this.#tellSoon()
  }

  #tellSoon(): void {
    if (this.#waiting) return
    this.#waiting = true
    process.nextTick(() => {
      this.#waiting = false
      this.#tellVoucher()
      this.#tellAcks()
    })
  }

  #tellVoucher(): void {
    const channel = this.#payment.terms?.channel
    const voucher = this.#voucher
    this.#voucher = undefined
    if (channel === undefined || !voucher) return
    const { ceiling, signature } = voucher
    this.#socket.send({ type: 'voucher', channel, ceiling: String(ceiling), signature: toBase64(signature) })
  }

  #tellAcks(): void {
    const requestIds = this.#requestIds
    this.#requestIds = []
    for (let at = 0; at < requestIds.length; at += MOST_ACKS) {
      this.#socket.send({ type: 'ack', requestIds: requestIds.slice(at, at + MOST_ACKS) })
    }
  }
}
