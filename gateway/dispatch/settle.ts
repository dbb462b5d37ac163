import type { ChargeRequest, ChargeResult, Ledger, WorkerRef } from '../ledger/index.ts'
import type { Lease, WorkerHandle, WorkerPool } from '../link/index.ts'
import type { VerifiedReceipt } from './receipt-book.ts'
import type { DispatchedTo } from './types.ts'

/** What a dispatch needs of the ledger. */
export interface DispatchLedger
  extends Pick<Ledger, 'demandPayable' | 'hold' | 'assign' | 'release' | 'openReservations'> {
  /** @param reason how the request ended, a short code; the ledger itself does not ask for it */
  charge(request: ChargeRequest, reason?: string): Promise<ChargeResult>
}

/** How a request stands in the ledger, durably. */
export interface Settlement {
  readonly charged: bigint
  /** The channel whose voucher rose, and that voucher. */
  readonly workerChannel: string | undefined
  readonly ceiling: bigint
  readonly voucher: Uint8Array | null
}

const NOTHING: Settlement = { charged: 0n, workerChannel: undefined, ceiling: 0n, voucher: null }

/**
 * Commits the charge of a receipt, or lets the reservation go when there is none.
 * @param reason how the request ended, a short code
 * @throws LedgerError; the reservation then stays open and is resolved after a restart
 */
export async function commit(
  ledger: DispatchLedger,
  requestId: string,
  workerChannel: string,
  receipt: VerifiedReceipt | undefined,
  reason: string,
): Promise<Settlement> {
  if (!receipt) {
    await ledger.release(requestId, reason)
    return NOTHING
  }
  const { clientCharge, workerCharge, signed, digest } = receipt
  const charge = {
    requestId,
    clientCharge,
    workerCharge,
    workerChannel,
    receipt: signed,
    receiptDigest: digest,
  }
  const charged = await ledger.charge(charge, reason)
  return {
    charged: charged.clientCharge,
    workerChannel,
    ceiling: charged.workerCeiling,
    voucher: charged.workerVoucher,
  }
}

/** Tells a worker that a request is settled, and hands over the voucher when it is for this worker's channel. */
export function tell(worker: WorkerHandle, requestId: string, settlement: Settlement): void {
  const { workerChannel, ceiling, voucher } = settlement
  if (voucher && workerChannel === worker.payment.ledgerChannel) worker.voucher(ceiling, voucher)
  worker.acknowledge([requestId])
}

/**
 * The ledger's name of the process that a request runs on. It holds the signing key and the channel that pays, so
 * that after a restart a receipt can be checked and paid whoever brings it.
 */
export function workerRef({ workerId, bootId, payment }: WorkerHandle): WorkerRef {
  return { id: `${workerId}/${payment.ledgerChannel}`, bootId }
}

/** Reads `workerRef` back; undefined for a name of another make. */
export function parseWorkerRef(ref: WorkerRef): { signingKey: string; ledgerChannel: string } | undefined {
  const match = /^([0-9a-f]{64})\/(.+)$/.exec(ref.id)
  const [, signingKey, ledgerChannel] = match ?? []
  return signingKey !== undefined && ledgerChannel !== undefined ? { signingKey, ledgerChannel } : undefined
}

/** The channels of workers that are connected, and of requests that are neither charged nor released. */
export function channelsInUse(
  pool: Pick<WorkerPool, 'workers'>,
  ledger: Pick<Ledger, 'openReservations'>,
): Set<string> {
  const open = ledger.openReservations().map(({ worker }) => parseWorkerRef(worker)?.ledgerChannel)
  const connected = pool.workers().map(({ ledgerChannel }) => ledgerChannel)
  return new Set([...connected, ...open.filter((channel) => channel !== undefined)])
}

/** Which machine holds a lease, for the response. */
export function dispatchedTo({ worker, epoch, model }: Lease): DispatchedTo {
  const { workerId, bootId, tee } = worker
  const { id, sha256 } = model
  return { workerId, bootId, tee, claimsDigest: epoch.claimsDigest, model: { id, sha256 } }
}
