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
  return {
    ...identity,
    session,
    payment,
    acknowledge(requestIds) {
      for (let at = 0; at < requestIds.length; at += MOST_ACKS) {
        socket.send({ type: 'ack', requestIds: requestIds.slice(at, at + MOST_ACKS) })
      }
    },
    voucher(ceiling, signature) {
      const channel = payment.terms?.channel
      if (channel === undefined) return
      socket.send({ type: 'voucher', channel, ceiling: String(ceiling), signature: toBase64(signature) })
    },
    condemn(reason) {
      host.bar(identity.bootId)
      host.log.warn({ session, boot: identity.bootId, code: reason }, 'worker cut off')
      socket.close('refused')
    },
  }
}
