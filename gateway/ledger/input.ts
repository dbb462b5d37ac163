import { LedgerError } from './errors.ts'
import type { ChargeRequest, KeyLimits, ReserveRequest } from './types.ts'

/** Nanotons live in signed 64-bit columns. */
const MAX_AMOUNT = 2n ** 63n - 1n

const invalid = (field: string, problem: string): LedgerError =>
  new LedgerError('ERR_LEDGER_INPUT', `${field}: ${problem}`)

/** Nanotons: 0 to 2^63 - 1. */
export function checkAmount(field: string, amount: bigint): void {
  if (typeof amount !== 'bigint') throw invalid(field, 'an amount is a bigint of nanotons')
  if (amount < 0n || amount > MAX_AMOUNT)
    throw invalid(field, `${amount} is not between 0 and 2^63 - 1 nanotons`)
}

/** Printable ASCII: what it is in JSON, SQL and logs is the same text everywhere. */
export function checkId(field: string, id: string): void {
  if (typeof id !== 'string' || !/^[\x20-\x7e]{1,256}$/.test(id)) {
    throw invalid(field, 'an id is 1 to 256 characters of printable ASCII')
  }
}

/** A text without the NUL that SQLite would cut it at. */
export function checkText(field: string, text: string, most: number): void {
  if (typeof text !== 'string' || text.length > most || text.includes('\0')) {
    throw invalid(field, `a text of at most ${most} characters without NUL is needed`)
  }
}

/** A whole number between `least` (1 unless told) and `most`. */
export function checkCount(field: string, count: number, most: number, least = 1): void {
  if (!Number.isInteger(count) || count < least || count > most) {
    throw invalid(field, `a whole number between ${least} and ${most} is needed`)
  }
}

/** 64 bytes; whether they sign anything is the caller's to know. */
export function checkSignature(field: string, signature: Uint8Array): void {
  if (!(signature instanceof Uint8Array) || signature.length !== 64)
    throw invalid(field, '64 bytes are needed')
}

/** Refuses a reservation whose ids or amounts the file could not hold. @throws LedgerError ERR_LEDGER_INPUT */
export function checkReserve(request: ReserveRequest): void {
  checkId('requestId', request.requestId)
  checkId('channel', request.channel)
  checkId('key', request.key)
  checkId('worker.id', request.worker.id)
  checkId('worker.bootId', request.worker.bootId)
  checkAmount('maxCharge', request.maxCharge)
  if (request.maxWorkerCharge !== undefined) checkAmount('maxWorkerCharge', request.maxWorkerCharge)
}

/** Refuses a charge whose ids, amounts or receipt the file could not hold. @throws LedgerError ERR_LEDGER_INPUT */
export function checkCharge(request: ChargeRequest): void {
  checkId('requestId', request.requestId)
  checkId('workerChannel', request.workerChannel)
  checkAmount('clientCharge', request.clientCharge)
  checkAmount('workerCharge', request.workerCharge)
  checkText('receipt.payload', request.receipt.payload, 65_536)
  checkText('receipt.signature', request.receipt.signature, 1024)
  checkId('receiptDigest', request.receiptDigest)
}

/** Refuses limits of an API key that are no amounts, times or model ids. @throws LedgerError ERR_LEDGER_INPUT */
export function checkLimits(limits: KeyLimits): void {
  if (limits.perRequest !== undefined) checkAmount('limits.perRequest', limits.perRequest)
  if (limits.perDay !== undefined) checkAmount('limits.perDay', limits.perDay)
  if (limits.expiresAt !== undefined && !Number.isSafeInteger(limits.expiresAt)) {
    throw invalid('limits.expiresAt', 'a time in whole milliseconds is needed')
  }
  for (const model of limits.models ?? []) checkId('limits.models', model)
}
