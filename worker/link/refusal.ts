import { ContractsError } from '../../contracts/errors.ts'
import { EarningsError } from '../earnings/index.ts'
import { codeOf } from '../log.ts'
import type { GatewayMessageOf } from '../protocol/index.ts'
import { GatewayRefused } from './errors.ts'

/** Why a join came to nothing. */
export interface LinkRefusal {
  /** Who refused. */
  by: 'gateway' | 'worker'
  code: string
  /** What failed in the evidence of the other side; empty for other reasons. */
  factors: readonly string[]
  /** The words of whoever refused, printable and short. */
  reason?: string
}

/** A gateway's refusal in words that may be shown. */
export function byGateway({ code, factors, reason }: GatewayMessageOf<'refused'>): LinkRefusal {
  return { by: 'gateway', code, factors: factors.map(printable), reason: printable(reason) }
}

/** Our refusal, or what broke on our side of a join. */
export function byWorker(error: unknown): LinkRefusal {
  const known = error instanceof GatewayRefused
  // Of our own errors the words are ours; a library's may quote what it was given.
  const own = known || error instanceof EarningsError || error instanceof ContractsError
  return {
    by: 'worker',
    code: codeOf(error),
    factors: known ? error.factors : [],
    ...(own && { reason: printable(error.message) }),
  }
}

/** A gateway's words for our log: short, printable ASCII. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
