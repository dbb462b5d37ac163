/** Payments that clients sign themselves, as x402 has them. See README.md. */

export type { ClientTerms } from './channels.ts'
export type { AgreedEnd } from './closing.ts'
export { type OwnerSecrets, saltOf } from './commitment.ts'
export type { DelegatedDesk, DelegatedTerms, OwnedChannel } from './delegated.ts'
export { type PaidRequest, type Payment, PaymentDesk, type PaymentDeskOptions } from './desk.ts'
export { type Due, PaymentDue } from './due.ts'
export { UsedOnce } from './once.ts'
